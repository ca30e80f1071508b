import torch

from eventnet.models.networks.googlenet import Inception

STEM = [(3, 224, 7, 2, 3, 1, 64), (64, 56, 1, 1, 0, 1, 64), (64, 56, 3, 1, 1, 1, 192)]

# Channels in, height; filters of 1x1; 3x3 reduce, 3x3; 5x5 reduce, 5x5; pool projection.
INCEPTIONS = [
    (192, 28, 64, 96, 128, 16, 32, 32),
    (256, 28, 128, 128, 192, 32, 96, 64),
    (480, 14, 192, 96, 208, 16, 48, 64),
    (512, 14, 160, 112, 224, 24, 64, 64),
    (512, 14, 128, 128, 256, 24, 64, 64),
    (512, 14, 112, 144, 288, 32, 64, 64),
    (528, 14, 256, 160, 320, 32, 128, 128),
    (832, 7, 256, 160, 320, 32, 128, 128),
    (832, 7, 384, 192, 384, 48, 128, 128),
]


def inception(c, height, one, reduce3, three, reduce5, five, projection):
    return [
        (c, height, 1, 1, 0, 1, one),
        (c, height, 1, 1, 0, 1, reduce3),
        (reduce3, height, 3, 1, 1, 1, three),
        (c, height, 1, 1, 0, 1, reduce5),
        (reduce5, height, 5, 1, 2, 1, five),
        (c, height, 1, 1, 0, 1, projection),
    ]


def test_its_57_convolutions_are_those_of_the_paper(convolutions):
    expected = STEM + [convolution for sizes in INCEPTIONS for convolution in inception(*sizes)]
    assert len(expected) == 57
    assert convolutions("googlenet") == expected


def test_its_classifier_takes_1024_activations_to_1000_logits(classifier):
    assert classifier("googlenet") == [1024, 1000]


def test_an_inception_module_concatenates_its_branches_in_the_papers_order():
    module = Inception(channels=2, conv1x1=1, conv3x3_reduce=1, conv3x3=2, conv5x5_reduce=1, conv5x5=3, pool_proj=4)
    for parameter in module.parameters():
        torch.nn.init.zeros_(parameter)
    for value, layer in enumerate([module.conv1x1, module.conv3x3, module.conv5x5, module.pool_proj], start=1):
        torch.nn.init.constant_(layer.bias, value)
    outputs = module(torch.ones(1, 2, 5, 5))
    assert outputs.shape == (1, 10, 5, 5)
    assert outputs[0, :, 2, 2].tolist() == [1, 2, 2, 3, 3, 3, 4, 4, 4, 4]
