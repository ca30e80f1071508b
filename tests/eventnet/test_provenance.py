"""Marks: what is computed from what."""

import gc

import torch

from eventnet.provenance import Mark, Provenance, combine

SAMPLE = Mark.STREAMED | Mark.INPUT


def test_what_comes_only_from_parameters_is_static():
    assert combine([Mark.STATIC | Mark.PARAMETER, Mark.CONSTANT]) == Mark.STATIC
    assert combine([Mark.CONSTANT]) == Mark.CONSTANT
    assert combine([]) == Mark.CONSTANT


def test_one_streamed_operand_makes_the_result_streamed():
    assert combine([Mark.STATIC, SAMPLE]) == SAMPLE
    assert combine([SAMPLE, Mark.STREAMED | Mark.PRODUCT]) == Mark.STREAMED | Mark.INPUT | Mark.PRODUCT


def test_views_share_their_tensors_mark():
    provenance, tensor = Provenance(), torch.ones(2, 3)
    provenance.set(tensor, SAMPLE)
    assert provenance.get(tensor.t()[0]) == SAMPLE
    assert provenance.get(tensor.clone()) is None


def test_a_parameter_stays_static_whatever_is_written_into_it():
    provenance, tensor = Provenance(), torch.ones(2)
    provenance.set(tensor, Mark.STATIC | Mark.PARAMETER)
    provenance.set(tensor, SAMPLE)
    assert provenance.get(tensor) == Mark.STATIC | Mark.PARAMETER


def test_what_was_computed_from_parameters_may_be_overwritten():
    provenance, tensor = Provenance(), torch.ones(2)
    provenance.set(tensor, Mark.STATIC)
    provenance.set(tensor, SAMPLE)
    assert provenance.get(tensor) == SAMPLE


def test_a_freed_storages_mark_is_never_taken_for_a_new_ones():
    provenance = Provenance()
    for _ in range(3000):
        tensor = torch.empty(7)
        assert provenance.get(tensor) is None
        provenance.set(tensor, SAMPLE)
        del tensor
    gc.collect()
    assert len(provenance._marks) <= 2 * 1024  # and the dead ones are dropped
