CHANNELS_AND_HEIGHT = [
    *[(3, 64, 224), (64, 64, 224)],
    *[(64, 128, 112), (128, 128, 112)],
    *[(128, 256, 56), (256, 256, 56), (256, 256, 56), (256, 256, 56)],
    *[(256, 512, 28), (512, 512, 28), (512, 512, 28), (512, 512, 28)],
    *[(512, 512, 14), (512, 512, 14), (512, 512, 14), (512, 512, 14)],
]


def test_its_convolutions_are_sixteen_of_3x3(convolutions):
    assert convolutions("vgg19") == [(c, height, 3, 1, 1, 1, f) for c, f, height in CHANNELS_AND_HEIGHT]


def test_its_classifier_takes_25088_activations_to_1000_logits(classifier):
    assert classifier("vgg19") == [25088, 4096, 4096, 1000]


def test_dadiannao_takes_6874112_ticks_for_its_convolutions(convolutions, dadiannao_ticks):
    assert dadiannao_ticks(convolutions("vgg19")) == 6874112
