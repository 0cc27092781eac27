"""What remote backends share on the sending side: kinds of resources, and what is done with them. No cloud's words."""
