LIBS_plugin_fork-exec := -ljansson -lm
