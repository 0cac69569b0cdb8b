"""The commands that make backbones: export, and export pretrain."""
