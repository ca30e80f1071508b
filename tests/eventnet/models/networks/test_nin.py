CONVOLUTIONS = [
    (3, 224, 11, 4, 0, 1, 96),
    (96, 54, 1, 1, 0, 1, 96),
    (96, 54, 1, 1, 0, 1, 96),
    (96, 27, 5, 1, 2, 1, 256),
    (256, 27, 1, 1, 0, 1, 256),
    (256, 27, 1, 1, 0, 1, 256),
    (256, 13, 3, 1, 1, 1, 384),
    (384, 13, 1, 1, 0, 1, 384),
    (384, 13, 1, 1, 0, 1, 384),
    (384, 6, 3, 1, 1, 1, 1024),
    (1024, 6, 1, 1, 0, 1, 1024),
    (1024, 6, 1, 1, 0, 1, 1000),
]


def test_its_convolutions_are_those_of_the_published_model(convolutions):
    assert convolutions("nin") == CONVOLUTIONS


def test_its_logits_are_averages_of_feature_maps(load):
    nin, x = load("nin")
    maps = nin[:-2](x)
    assert maps.shape == (1, 1000, 6, 6)
    assert (nin(x) - maps.mean(dim=(2, 3))).abs().max() < 1e-6 * maps.max()


def test_dadiannao_takes_349170_ticks_for_its_convolutions(convolutions, dadiannao_ticks):
    assert dadiannao_ticks(convolutions("nin")) == 349170
