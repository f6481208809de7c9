"""What a network costs: its account, and the memory, operations and energy that the papers derive from it."""
