"""Dropout layers, the base LightningModule, and one short class per MLP variant."""
