"""How fields are answered: a few lines each, in rows and values; what they look like is the schema's business."""
