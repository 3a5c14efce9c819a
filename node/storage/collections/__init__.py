"""Collections: values made of entities, so that concurrent changes of different parts do not collide."""
