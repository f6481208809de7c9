"""What a plug-in implements, how it is found, and how passes run one after another."""
