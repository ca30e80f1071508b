CONVOLUTIONS = [
    (3, 224, 7, 2, 0, 1, 96),
    (96, 37, 5, 1, 0, 1, 256),
    (256, 17, 3, 1, 1, 1, 512),
    (512, 17, 3, 1, 1, 1, 512),
    (512, 17, 3, 1, 1, 1, 512),
]


def test_its_convolutions_are_those_of_the_published_model(convolutions):
    assert convolutions("cnns") == CONVOLUTIONS


def test_its_classifier_takes_18432_activations_to_1000_logits(classifier):
    assert classifier("cnns") == [18432, 4096, 4096, 1000]


def test_dadiannao_takes_698320_ticks_for_its_convolutions(convolutions, dadiannao_ticks):
    assert dadiannao_ticks(convolutions("cnns")) == 698320
