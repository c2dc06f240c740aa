# What the tortures that run the real programs are made of: see tests/torture/README.
$(B)/tests/torture/plant.so: $(B)/obj/tests/torture/plant.o
	@mkdir -p $(@D)
	$(Q)$(CC) $(SO_LDFLAGS) -o $@ $< -ldl $(ALL_LDFLAGS)

$(B)/tests/torture/client: $(B)/obj/tests/torture/client.o $(B)/lib/libwq.so
	@mkdir -p $(@D)
	$(Q)$(CC) -o $@ $< -L$(B)/lib -lwq -Wl,-rpath,'$$ORIGIN/../../lib' $(ALL_LDFLAGS)

$(B)/tests/torture/killat: $(B)/obj/tests/torture/killat.o
	@mkdir -p $(@D)
	$(Q)$(CC) -o $@ $< $(ALL_LDFLAGS)

$(eval $(call handler_rule,$(B)/tests/torture/handlers,$(B)/obj/tests/torture/handlers.o,))

torture-programs: all $(addprefix $(B)/tests/torture/,plant.so client killat handlers.so)
	@:

.PHONY: torture-programs
-include $(patsubst %,$(B)/obj/tests/torture/%.d,plant client killat handlers)
