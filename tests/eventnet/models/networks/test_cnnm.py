CONVOLUTIONS = [
    (3, 224, 7, 2, 0, 1, 96),
    (96, 54, 5, 2, 1, 1, 256),
    (256, 13, 3, 1, 1, 1, 512),
    (512, 13, 3, 1, 1, 1, 512),
    (512, 13, 3, 1, 1, 1, 512),
]


def test_its_convolutions_are_those_of_the_published_model(convolutions):
    assert convolutions("cnnm") == CONVOLUTIONS


def test_its_classifier_narrows_to_2048(classifier):
    assert classifier("cnnm") == [18432, 4096, 2048, 1000]
