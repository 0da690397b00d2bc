"""What a user waits for inside VS Code and Neovim: `python -m benchmarks.editors`."""
