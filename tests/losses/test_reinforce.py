"""REINFORCE: its gradient is that of the expected reward."""

import torch

from hf_arae.losses.reinforce import leave_one_out, reinforce_loss


def test_each_sample_is_compared_with_the_mean_of_the_others():
    assert leave_one_out(torch.tensor([[1.0, 2.0, 6.0], [0.0, 0.0, 3.0]])).tolist() == [[4, 3.5, 1.5], [1.5, 1.5, 0]]


def test_the_gradient_is_that_of_the_expected_reward():
    rewards, logits = torch.tensor([1.0, -2.0, 5.0]), torch.tensor([0.3, 0.1, -0.4], requires_grad=True)
    expected = torch.autograd.grad((logits.softmax(0) * rewards).sum(), logits)[0]
    drawn = torch.multinomial(logits.detach().softmax(0), 200_000, True, generator=torch.Generator().manual_seed(0))
    loss = reinforce_loss(logits.log_softmax(0)[drawn], rewards[drawn] - 1.0)
    torch.testing.assert_close(-torch.autograd.grad(loss, logits)[0], expected, atol=0.03, rtol=0)
