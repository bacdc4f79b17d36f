"""PortableLinear is nn.Linear, but for rounding."""

import pytest
import torch
from torch import nn

from dropout_bench import numerics
from dropout_bench.models.layers.linear import PortableLinear

SHAPES = [(1, 1, 1), (1, 784, 256), (64, 784, 256), (32, 256, 10), (5, 3, 7)]


def pair(inputs: int, outputs: int, bias: bool = True) -> tuple[nn.Linear, PortableLinear]:
    reference = nn.Linear(inputs, outputs, bias)
    portable = PortableLinear(inputs, outputs, bias)
    portable.load_state_dict(reference.state_dict())
    return reference, portable


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_values_and_gradients_equal_those_of_nn_linear(
    shape: tuple[int, int, int], bias: bool, dtype: torch.dtype
) -> None:
    torch.manual_seed(0)
    batch, inputs, outputs = shape
    results = []
    x = torch.randn(batch, inputs, dtype=dtype)
    weights = torch.randn(batch, outputs, dtype=dtype)
    for layer in pair(inputs, outputs, bias):
        layer.to(dtype)
        here = x.clone().requires_grad_()
        y = layer(here)
        (y * weights).sum().backward()
        results.append([y, here.grad, *(each.grad for each in layer.parameters())])
    torch.testing.assert_close(results[1], results[0], rtol=1e-4, atol=1e-5)


def test_state_dict_goes_both_ways() -> None:
    reference, portable = pair(6, 4)
    reference.load_state_dict(portable.state_dict())
    assert list(reference.state_dict()) == list(portable.state_dict())


def test_same_seed_same_initial_weights_as_nn_linear() -> None:
    torch.manual_seed(3)
    reference = nn.Linear(6, 4)
    torch.manual_seed(3)
    assert torch.equal(PortableLinear(6, 4).weight, reference.weight)


def test_no_gradient_for_an_input_that_needs_none() -> None:
    _, portable = pair(6, 4)
    x = torch.randn(2, 6)
    portable(x).sum().backward()
    assert x.grad is None
    assert portable.weight.grad is not None


def test_strided_input() -> None:
    reference, portable = pair(6, 4)
    x = torch.randn(6, 9).t()
    torch.testing.assert_close(portable(x), reference(x))


@pytest.mark.skipif(not numerics.is_pinned(), reason="no x86-64 CPU with AVX2")
def test_the_portable_arithmetic_is_the_one_in_use() -> None:
    assert numerics.arithmetic() == numerics.PORTABLE
    assert numerics.arithmetic("cuda") == numerics.NATIVE
    portable = PortableLinear(6, 4)
    assert "OneDNN" in type(portable(torch.randn(2, 6)).grad_fn).__name__
