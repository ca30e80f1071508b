"""Copies: clones, changes of type or layout, concatenation, padding, repetition, interpolation."""

from eventnet.vector import VectorForm, results, with_backward

VECTORS = (
    VectorForm(
        "copy",
        (
            *with_backward(
                "diagonal", "reflection_pad1d", "reflection_pad2d", "reflection_pad3d", "replication_pad1d",
                "replication_pad2d", "replication_pad3d", "select", "slice", "unfold",
            ),
            "_chunk_cat", "_conj_copy", "_foreach_clone", "_foreach_copy", "_neg_view_copy", "_reshape_alias_copy",
            "_reshape_copy", "_stack", "_to_copy",  "alias_copy", "as_strided_copy", "as_strided_scatter", "block_diag", "cat",
            "channel_shuffle", "clone", "col2im", "constant_pad_nd", "detach_copy", "diag_embed", "diagonal_copy",
            "diagonal_scatter", "expand_copy", "flip", "im2col", "lift_fresh_copy", "narrow_copy", "permute_copy",
            "pixel_shuffle", "pixel_unshuffle", "roll", "rot90", "select_copy", "select_scatter", "slice_copy",
            "slice_scatter", "split_copy", "split_with_sizes_copy", "squeeze_copy", "stack", "t_copy", "transpose_copy",
            "_coalesce", "_sparse_broadcast_to_copy", "_sparse_coo_tensor_with_dims_and_tensors", "_to_dense", "_to_sparse",
            "_to_sparse_csc", "_to_sparse_csr", "sparse_mask",
            "unbind_copy", "unfold_copy", "unsafe_split", "unsafe_split_with_sizes", "unsqueeze_copy", "view_copy",
        ),
    ),
    VectorForm("copy", ("copy",), reads=results, beside=("self",)),
    VectorForm("copy", ("repeat", "repeat_interleave")),
    VectorForm(
        "upsample",
        with_backward(
            "_upsample_bicubic2d_aa", "_upsample_bilinear2d_aa", "_upsample_lanczos2d_aa", "_upsample_nearest_exact1d",
            "_upsample_nearest_exact2d", "_upsample_nearest_exact3d", "_grid_sampler_2d_cpu_fallback", "grid_sampler_2d",
            "grid_sampler_3d", "upsample_bicubic2d", "upsample_bilinear2d", "upsample_linear1d", "upsample_nearest1d",
            "upsample_nearest2d", "upsample_nearest3d", "upsample_trilinear3d",
        ),
    ),
)  # fmt: skip
