"""The exact attention kernel in a PyTorch program, with its gradient.

Tensors are [batch, tokens, heads, width]. The result is compared with PyTorch's own attention.
"""

import torch

import graticule

q, k, v = (torch.randn(1, 1003, 7, 64, requires_grad=True) for _ in range(3))
out = graticule.flash_attention(q, k, v)
out.square().sum().backward()

plain = torch.nn.functional.scaled_dot_product_attention(*(t.transpose(1, 2) for t in (q, k, v))).transpose(1, 2)
print("largest difference to PyTorch's own:", (out - plain).abs().max().item())
assert torch.allclose(out, plain, atol=1e-5)
