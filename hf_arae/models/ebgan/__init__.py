"""Energy-based generative adversarial networks, their rivals with the same networks, and ladders."""
