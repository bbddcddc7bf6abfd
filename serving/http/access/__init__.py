"""Who may call: keys, what a key allows, and which pages of other origins may use one."""
