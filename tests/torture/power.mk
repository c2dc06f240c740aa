# What tests/torture/power is made of.
$(B)/tests/torture/logdisk $(B)/tests/torture/task: $(B)/tests/torture/%: $(B)/obj/tests/torture/%.o
	@mkdir -p $(@D)
	$(Q)$(CC) -o $@ $< $(ALL_LDFLAGS)

$(B)/tests/torture/plant-sync.so: $(B)/obj/tests/torture/plant-sync.o
	@mkdir -p $(@D)
	$(Q)$(CC) $(SO_LDFLAGS) -o $@ $< -ldl $(ALL_LDFLAGS)

torture-power: all $(addprefix $(B)/tests/torture/,oracle logdisk task plant-sync.so)
	@:

.PHONY: torture-power
-include $(patsubst %,$(B)/obj/tests/torture/%.d,logdisk task plant-sync)
