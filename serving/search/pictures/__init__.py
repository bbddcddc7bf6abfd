"""Items by how their pictures look."""
