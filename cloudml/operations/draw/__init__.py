"""Draw a pipeline: `graph_of` reads the spec, `text` and `svg` draw it, alone or with the states of a run."""

from cloudml.operations.draw.model import Edge, Graph, GraphNode, State, graph_of, states_of, to_dict
from cloudml.operations.draw.svg import svg
from cloudml.operations.draw.text import text

__all__ = ["Edge", "Graph", "GraphNode", "State", "graph_of", "states_of", "svg", "text", "to_dict"]
