from node.storage.entities import EntityIndex

__all__ = ["EntityIndex"]
