"""JSON and CSV: everything a reader needs to know where a number comes from, whole or not at all."""

import json
import re

import pandas as pd
import pytest
import torch
from torch import nn

import eventnet
import hwmodel
from eventnet.reports import whole_file


@pytest.fixture
def run():
    torch.manual_seed(0)
    return eventnet.simulate(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU()), torch.randn(1, 1, 5, 5), baseline="dadiannao")


def test_json_carries_provenance_totals_and_records(run, tmp_path):
    path = tmp_path / "run.json"
    run.to_json(path)
    document = json.loads(path.read_text())
    assert document["schema_version"] == 1
    assert set(document["versions"]) == {"python", "eventnet", "torch", "numpy", "numba", "simpy", "sortedcontainers"}
    assert document["machine"]["parameters"]["lanes"] == 16
    assert document["machine"]["prices"]["actions"]["sb.read_word"]["source"]
    assert document["settings"]["threshold"] == 0.0
    assert document["seed"] == torch.initial_seed()
    assert document["totals"]["ticks"] == run.ticks
    assert document["totals"]["speedup"] == run.speedup
    assert document["agreement"]["agrees"] is True
    assert [record["name"] for record in document["records"]] == ["0", "1"]
    assert document["records"][0]["ledger"]["nfu.multiply"] == run.records[0].executed_macs


def test_the_frame_and_the_csv_have_a_row_for_each_record(run, tmp_path):
    path = tmp_path / "run.csv"
    run.to_csv(path)
    frame, read = run.to_frame(), pd.read_csv(path)
    assert list(frame["op"]) == ["convolution", "relu"]
    assert list(read.columns) == list(frame.columns)
    promised = (
        "name op part call macs effectual_macs executed_macs activations events zero_fraction event_fraction ticks busy_ticks "
        "stall_ticks idle_ticks dynamic_pj static_pj offchip_pj onchip_bytes offchip_bytes offchip_seconds bound max_error_ratio "
        "baseline_ticks baseline_pj speedup"
    )
    assert set(promised.split()) <= set(frame.columns)
    assert read["ticks"].sum() == run.ticks


def test_a_failed_write_leaves_the_old_file_and_nothing_else(run, tmp_path, monkeypatch):
    path = tmp_path / "run.json"
    path.write_text("old")

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(whole_file.os, "fsync", full)
    message = (
        f"writing {str(path)!r}: No space left on device, expected a file that can be written. Choose another path; nothing was "
        "changed."
    )
    with pytest.raises(hwmodel.DataError, match=f"^{re.escape(message)}$"):
        run.to_json(path)
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["run.json"]


def test_an_interrupt_while_writing_leaves_nothing_half_written(run, tmp_path, monkeypatch):
    def interrupt(handle):
        raise KeyboardInterrupt

    monkeypatch.setattr(whole_file.os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run.to_csv(tmp_path / "run.csv")
    assert list(tmp_path.iterdir()) == []


def test_infinite_numbers_are_written_as_null(run, tmp_path):
    object.__setattr__(run.records[0], "speedup", float("inf"))
    run.to_json(tmp_path / "run.json")
    assert json.loads((tmp_path / "run.json").read_text())["records"][0]["speedup"] is None
