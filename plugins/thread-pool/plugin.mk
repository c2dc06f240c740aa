LIBS_plugin_thread-pool := -ldl

# A handler file: $(1) without .so, $(2) its objects, $(3) its libraries.
define handler_rule
$(1).so: $(2) plugins/thread-pool/handler.syms
	$$(call say,HANDLER,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(SO_LDFLAGS) -Wl,--version-script=plugins/thread-pool/handler.syms -o $$@ \
		$$(filter %.o,$$^) $(3) $$(ALL_LDFLAGS)
endef

# The shipped handlers stand in handlers/ beside the plugin.
$(eval $(call handler_rule,$(B)/plugins/handlers/standard,$(patsubst %.c,$(B)/obj/%.o,$(wildcard plugins/thread-pool/handlers/*.c)),-lcrypto))

# Those with which its tests look at the pool stand beside the test programs.
$(eval $(call handler_rule,$(B)/tests/plugin/probe_handlers,$(B)/obj/tests/plugin/probe_handlers.o,))
$(B)/tests/plugin/test_thread_pool $(B)/tests/plugin/test_handler_file: $(B)/tests/plugin/probe_handlers.so
-include $(B)/obj/tests/plugin/probe_handlers.d
