"""Networks of transformers, which nobody here wrote: made of small configurations with random weights, nothing is downloaded."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

import eventnet

transformers = pytest.importorskip("transformers", reason="transformers is not installed; make test-libraries installs it")

TOKENS = {"vocab_size": 64, "max_position_embeddings": 32, "initializer_range": 0.2}
WIDTHS = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
GROUPED = {**TOKENS, **WIDTHS, "num_key_value_heads": 2}
IMAGES = {"num_labels": 5, "initializer_range": 0.2}
WHISPER = {
    "vocab_size": 64, "num_mel_bins": 8, "d_model": 32, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2,
    "decoder_attention_heads": 2, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "max_source_positions": 12,
    "max_target_positions": 16, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1,
}  # fmt: skip


def image(size: int) -> dict[str, torch.Tensor]:
    return {"pixel_values": torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(1))}


def tokens(count: int = 6) -> dict[str, torch.Tensor]:
    return {"input_ids": torch.randint(3, 64, (1, count), generator=torch.Generator().manual_seed(2))}


def padded() -> dict[str, torch.Tensor]:
    return {**tokens(), "attention_mask": torch.tensor([[1, 1, 1, 1, 0, 0]])}


def with_decoder() -> dict[str, torch.Tensor]:
    return {**tokens(), "decoder_input_ids": torch.tensor([[0, 5, 9]])}


def sound() -> dict[str, torch.Tensor]:
    features = torch.randn(1, 8, 24, generator=torch.Generator().manual_seed(3))
    return {"input_features": features, "decoder_input_ids": torch.tensor([[1, 5, 9]])}


# Class of the model, its configuration, an input. Those that have attention are tested with two implementations of it.
PLAIN = {
    "resnet": ("ResNetForImageClassification", {"embedding_size": 16, "hidden_sizes": [16, 32], "depths": [2, 1], "num_labels": 5},
               lambda: image(32)),
    "mobilenet": ("MobileNetV2ForImageClassification", {**IMAGES, "depth_multiplier": 0.1, "output_stride": 8, "expand_ratio": 2,
                  "image_size": 32, "classifier_dropout_prob": 0.2}, lambda: image(32)),
    "convnext": ("ConvNextForImageClassification", {**IMAGES, "hidden_sizes": [16, 24], "depths": [1, 1], "num_stages": 2,
                 "image_size": 32}, lambda: image(32)),
    "swin": ("SwinForImageClassification", {**IMAGES, "image_size": 32, "embed_dim": 16, "depths": [2, 1], "num_heads": [2, 4],
             "window_size": 4}, lambda: image(32)),
    "t5": ("T5ForConditionalGeneration", {"vocab_size": 64, "d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2,
           "num_heads": 4, "decoder_start_token_id": 0}, with_decoder),
    "mamba": ("MambaForCausalLM", {"vocab_size": 64, "hidden_size": 32, "state_size": 8, "num_hidden_layers": 2}, tokens),
}  # fmt: skip
ATTENDING = {
    "vit": ("ViTForImageClassification", {**IMAGES, **WIDTHS, "image_size": 16, "patch_size": 4}, lambda: image(16)),
    "bert": ("BertForSequenceClassification", {**TOKENS, **WIDTHS}, padded),
    "opt": ("OPTForCausalLM", {"vocab_size": 64, "hidden_size": 32, "ffn_dim": 64, "num_hidden_layers": 2, "init_std": 0.2,
            "num_attention_heads": 2, "max_position_embeddings": 32, "word_embed_proj_dim": 16}, tokens),
    "gpt2": ("GPT2LMHeadModel", {"vocab_size": 64, "n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 32,
             "initializer_range": 0.2}, padded),
    "llama": ("LlamaForCausalLM", GROUPED, tokens),
    "mixtral": ("MixtralForCausalLM", {**GROUPED, "num_local_experts": 4, "sliding_window": 4}, tokens),
    "qwen moe": ("Qwen2MoeForCausalLM", {**GROUPED, "moe_intermediate_size": 16, "shared_expert_intermediate_size": 24,
                 "num_experts": 4, "num_experts_per_tok": 2}, tokens),
    "whisper": ("WhisperForConditionalGeneration", WHISPER, sound),
}  # fmt: skip
NETWORKS = {**PLAIN, **ATTENDING}
CASES = [(name, None) for name in PLAIN] + [(name, how) for name in ATTENDING for how in ("eager", "sdpa")]
WRITERS = [(name, how) for name, how in CASES if name in ("opt", "gpt2", "llama", "mixtral", "qwen moe", "t5", "mamba")]

every_network = pytest.mark.parametrize(
    ("name", "attention"), CASES, ids=[f"{name}-{how}" if how else name for name, how in CASES]
)
every_writer = pytest.mark.parametrize(
    ("name", "attention"), WRITERS, ids=[f"{name}-{how}" if how else name for name, how in WRITERS]
)
every_dtype = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])


def make(name: str, attention: str | None, dtype: torch.dtype = torch.float32) -> tuple[nn.Module, dict[str, torch.Tensor]]:
    kind, options, sample = NETWORKS[name]
    torch.manual_seed(0)
    model_class = getattr(transformers, kind)
    config = model_class.config_class(**options)
    model = model_class._from_config(config, attn_implementation=attention) if attention else model_class(config)
    inputs = {key: value.to(dtype) if value.is_floating_point() else value for key, value in sample().items()}
    return model.to(dtype), inputs


@every_network
@every_dtype
def test_a_forward_is_followed(follows: Callable, name, attention, dtype):
    follows(*make(name, attention, dtype), torch.no_grad)


@every_network
def test_a_forward_under_inference_mode_is_followed(follows: Callable, name, attention):
    follows(*make(name, attention), torch.inference_mode)


@every_network
@every_dtype
@pytest.mark.parametrize("train", [False, True], ids=["eval", "train"])
def test_a_backward_is_followed(follows_backward: Callable, name, attention, dtype, train):
    follows_backward(*make(name, attention, dtype), train)


@every_writer
@every_dtype
@pytest.mark.parametrize("use_cache", [True, False])
def test_written_tokens_are_those_of_pytorch(name, attention, dtype, use_cache):
    model, inputs = make(name, attention, dtype)
    model.eval()
    inputs.pop("decoder_input_ids", None)
    settings = {"max_new_tokens": 4, "do_sample": False, "pad_token_id": 0, "use_cache": use_cache}
    expected = model.generate(**inputs, **settings)
    run = eventnet.simulate(model.generate, kwargs={**inputs, **settings}, progress=False)
    assert run.outputs.tolist() == expected.tolist()
    assert run.agreement, run.agreement
    assert run.coverage >= 0.99
    assert run.unwatched == 0


@pytest.mark.parametrize("name", ["mixtral", "qwen moe"])
def test_every_chosen_expert_multiplies_every_token_that_it_was_sent(name):
    model, inputs = make(name, "eager")
    config = model.config
    with torch.no_grad():
        run = eventnet.simulate(model, kwargs=inputs, progress=False)
    experts = [record.macs for record in run.product_records if record.name.endswith(".experts")]
    width = getattr(config, "moe_intermediate_size", config.intermediate_size)
    each_layer = inputs["input_ids"].numel() * config.num_experts_per_tok * 3 * config.hidden_size * width
    assert sum(experts) == config.num_hidden_layers * each_layer
