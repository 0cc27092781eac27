"""Small pipelines that every backend must run alike. Each module stands alone and imports none of the others.

This folder is the root of that project, so that a step's function is `sample_flow:double`, as in a user's project.
Functions that count their executions do so in a folder that the test names, by the pipeline's parameter `side`.
"""
