# wq: one makefile, not recursive.  `make help` lists the targets.
#
# A new file needs no edit here: core/<layer>/*.c, plugins/<name>/*.c, tests/unit/<layer>/test_*.c
# and tests/system/*.sh are found by their place.  All output goes to build/<variant>/.
MAKEFLAGS += -r --no-print-directory
.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:
.DEFAULT_GOAL := all

VERSION := 0.1.0
SOVERSION := 0

CC      ?= cc
ifeq ($(origin CC),default)
CC      := gcc
endif
CFLAGS  ?= -O2 -g
PREFIX  ?= /usr/local
BINDIR  ?= $(PREFIX)/bin
SBINDIR ?= $(PREFIX)/sbin
LIBDIR  ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR  ?= $(PREFIX)/share/man
SYSCONFDIR ?= /etc
PLUGINDIR  ?= $(LIBDIR)/wq
PKG_CONFIG ?= pkg-config

# --- variants: build/release, build/san-address+undefined, build/clang, ... --------------------
comma   := ,
variant := $(if $(findstring clang,$(notdir $(CC))),clang-)$(if $(SAN),san-$(subst $(comma),+,$(SAN)),release)
B       ?= build/$(variant)

warnings := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wwrite-strings -Wvla -Wformat=2 -Wundef -Wpointer-arith -Wcast-qual
# Cutting a text to its buffer is what snprintf is used for here.
warnings += $(if $(findstring clang,$(CC)),,-Wno-format-truncation)
ifneq ($(WERROR)$(CI),)
warnings += -Werror
endif
harden := $(if $(SAN),,-D_FORTIFY_SOURCE=2 -fstack-protector-strong)
san    := $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer)
ALL_CFLAGS := -std=c17 -D_GNU_SOURCE -fPIC -fvisibility=hidden -fno-common -pthread \
	-DWQ_VERSION='"$(VERSION)"' $(if $(FRAME_MINOR),-DWQ_FRAME_MINOR=$(FRAME_MINOR)) -Iinclude -Icore $(warnings) $(harden) $(san) $(CFLAGS)
# GNU_UNIQUE and undefined symbols of a sanitizer run-time live in the executable, so -z defs
# cannot hold there.
SO_LDFLAGS := -shared $(if $(SAN),,-Wl,-z,defs)
ALL_LDFLAGS := -pthread -Wl,-z,relro,-z,now -Wl,--as-needed $(san) $(LDFLAGS)

pc = $(shell $(PKG_CONFIG) --libs $(1) 2>/dev/null)
LIBS_codec  := -lcbor
LIBS_config := -lconfuse
LIBS_cli    := -ljansson -lm
LIBS_plugin := -ldl

include core/layers.mk

# --- what there is ------------------------------------------------------------------------------
core_src  := $(wildcard core/*/*.c)
mains     := core/server/main.c core/shepherd/main.c core/cli/main.c
plugins   := $(notdir $(patsubst %/,%,$(wildcard plugins/*/)))
-include $(wildcard plugins/*/plugin.mk)
handler_src := $(wildcard plugins/thread-pool/handlers/*.c)
bad_src   := $(wildcard tests/plugin/bad/*.c)
plugin_test_src := $(wildcard tests/plugin/test_*.c)
# Plugins that are there for tests only.
TEST_PLUGINS := elsewhere faulty scripted
obj        = $(patsubst %.c,$(B)/obj/%.o,$(1))
layer_src  = $(filter-out $(mains),$(wildcard core/$(1)/*.c))
archive    = $(B)/lib/$(1).a
unit_src  := $(wildcard tests/unit/*/test_*.c)
units     := $(patsubst tests/unit/%.c,$(B)/tests/unit/%,$(unit_src))

programs  := $(B)/bin/wq-server $(B)/bin/wq-shepherd $(B)/bin/wq
plugin_so := $(foreach p,$(plugins),$(B)/plugins/$(p).so) $(if $(handler_src),$(B)/plugins/handlers/standard.so)
bad_so    := $(patsubst tests/plugin/bad/%.c,$(B)/tests/plugin/bad/%.so,$(bad_src))
plugin_tests := $(patsubst tests/plugin/%.c,$(B)/tests/plugin/%,$(plugin_test_src))

##@ Targets
all: $(programs) $(B)/lib/libwq.so $(plugin_so) ## build the programs, libwq and the plugins
	@:

# Recompile what depends on it when the compiler, its flags or the installed places change.
stamp = @mkdir -p $(@D); printf '%s\n' '$(subst ','\'',$(1))' | cmp -s - $@ || printf '%s\n' '$(subst ','\'',$(1))' > $@
$(B)/.flags: FORCE
	$(call stamp,$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS))
$(B)/.places: FORCE
	$(call stamp,$(places))
places := -DWQ_PLUGINDIR='"$(PLUGINDIR)"' -DWQ_SYSCONFDIR='"$(SYSCONFDIR)"'
placed := $(call obj,$(filter core/server/% core/config/%,$(core_src)))
$(placed): EXTRA_CFLAGS += $(places)
$(placed): $(B)/.places
FORCE:

Q := $(if $(V),,@)
quiet := $(if $(V),1)$(findstring s,$(firstword -$(MAKEFLAGS)))
say = $(if $(quiet),@:,@printf '  %-7s %s\n' $(1) $(2))

$(B)/obj/%.o: %.c $(B)/.flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(EXTRA_CFLAGS) -MMD -MP -c -o $@ $<

define layer_rules
$(call archive,$(1)): $(call obj,$(call layer_src,$(1)))
	@mkdir -p $$(@D); rm -f $$@
	$$(Q)ar rcs $$@ $$(filter %.o,$$^)
endef
$(foreach l,$(LAYERS),$(eval $(call layer_rules,$(l))))

# A layer's archive, then those it uses.  `a/b` in USES_ means one header of layer a.
layer_dirs = $(filter $(LAYERS),$(1) $(foreach u,$(USES_$(1)),$(firstword $(subst /, ,$(u)))))
closure    = $(sort $(call layer_dirs,$(1)) $(foreach l,$(call layer_dirs,$(1)),$(call layer_dirs,$(l))) \
	$(foreach l,$(call layer_dirs,$(1)),$(foreach m,$(call layer_dirs,$(l)),$(call layer_dirs,$(m)))))
archives   = $(foreach l,$(call closure,$(1)),$(call archive,$(l)))
libs       = $(foreach l,$(call closure,$(1)),$(LIBS_$(l)))
group      = -Wl,--start-group $(1) -Wl,--end-group

$(B)/bin/wq-server: $(call obj,core/server/main.c) $(call archives,server)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -o $@ $(call group,$^) $(call libs,server) $(ALL_LDFLAGS)

$(B)/bin/wq-shepherd: $(call obj,core/shepherd/main.c) $(call archives,shepherd)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -o $@ $(call group,$^) $(ALL_LDFLAGS)

# wq is a client of libwq like any other, so it sees nothing of core but base.
$(B)/bin/wq: $(call obj,core/cli/main.c) $(call archive,cli) $(call archive,base) $(B)/lib/libwq.so
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -o $@ $(filter %.o,$^) $(call group,$(filter %.a,$^)) -L$(B)/lib -lwq \
		-Wl,-rpath,'$$ORIGIN/../lib' $(LIBS_cli) $(ALL_LDFLAGS)

$(B)/lib/libwq.so: $(B)/lib/libwq.so.$(SOVERSION)
	@ln -sf $(<F) $@

$(B)/lib/libwq.so.$(SOVERSION): $(call archives,client) core/client/libwq.syms
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(SO_LDFLAGS) -Wl,-soname,$(@F) -Wl,--version-script=core/client/libwq.syms -o $@ \
		-Wl,--whole-archive $(call archive,client) -Wl,--no-whole-archive \
		$(call group,$(filter %.a,$^)) $(call libs,client) $(ALL_LDFLAGS)

# plugins/NAME/plugin.mk may set LIBS_plugin_NAME.
define plugin_rules
$(B)/plugins/$(1).so: $(call obj,$(wildcard plugins/$(1)/*.c)) plugins/plugin.syms
	$$(call say,PLUGIN,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(SO_LDFLAGS) -Wl,--version-script=plugins/plugin.syms -o $$@ \
		$$(filter %.o,$$^) $$(LIBS_plugin_$(1)) $$(ALL_LDFLAGS)
endef
$(foreach p,$(plugins),$(eval $(call plugin_rules,$(p))))

# --- tests --------------------------------------------------------------------------------------
# Unit tests of a layer use the helpers of its own and of these.
SUPPORT_server := spool link
SUPPORT_plugin := link
SUPPORT_cli    := client

define unit_rule
$(B)/tests/unit/$(1)/%: $(B)/obj/tests/unit/$(1)/%.o $(call obj,$(wildcard $(patsubst %,tests/support/%/*.c,$(1) $(SUPPORT_$(1))))) $(call archives,$(1))
	$$(call say,LD,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) -o $$@ $$(call group,$$(filter %.o %.a,$$^)) $$(call libs,$(1)) \
		$$(shell $(PKG_CONFIG) --libs check) $$(ALL_LDFLAGS) $$(UNIT_LDFLAGS_$$*)
endef
$(foreach l,$(LAYERS),$(eval $(call unit_rule,$(l))))
$(call obj,$(unit_src) $(plugin_test_src) $(wildcard tests/support/*/*.c)): EXTRA_CFLAGS += -Itests -Wno-gnu-zero-variadic-macro-arguments

# Plugins that the loader must refuse; one of them has an undefined symbol on purpose.
$(B)/tests/plugin/bad/%.so: $(B)/obj/tests/plugin/bad/%.o plugins/plugin.syms
	$(call say,PLUGIN,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -shared -Wl,--version-script=plugins/plugin.syms -o $@ $< $(san)

# These see a plugin as a server does: through its file and its header alone.
$(B)/tests/plugin/%: $(B)/obj/tests/plugin/%.o
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -o $@ $< $(shell $(PKG_CONFIG) --libs check) -ldl $(ALL_LDFLAGS)

units: $(units) $(plugin_tests) $(bad_so) ## build the unit tests
	@:

check: ## install what is missing, build, and run the whole test suite
	$(Q)tests/deps check
	$(Q)tests/run

quickstart: ## install what is missing, build, start a server and run real work through it
	$(Q)tests/deps build
	$(Q)$(MAKE) all
	$(Q)tests/quickstart $(B)

deps: ## install what is missing from Debian (root, or with sudo)
	$(Q)tests/deps check

install_plugins := $(filter-out $(TEST_PLUGINS),$(plugins))
manuals := $(wildcard docs/*.[1-8])
I := install -D
# Texts name the default places; what is installed names the real ones.
replaced := -e 's|/usr/local/lib/wq|$(PLUGINDIR)|g' -e 's|/usr/local/sbin|$(SBINDIR)|g'
install: all ## install below $(DESTDIR)$(PREFIX)
	$(I) -m 755 $(B)/bin/wq $(DESTDIR)$(BINDIR)/wq
	for p in wq-server wq-shepherd; do $(I) -m 755 $(B)/bin/$$p $(DESTDIR)$(SBINDIR)/$$p || exit 1; done
	$(I) -m 755 $(B)/lib/libwq.so.$(SOVERSION) $(DESTDIR)$(LIBDIR)/libwq.so.$(SOVERSION)
	ln -sf libwq.so.$(SOVERSION) $(DESTDIR)$(LIBDIR)/libwq.so
	for h in include/wq/*.h; do $(I) -m 644 $$h $(DESTDIR)$(INCLUDEDIR)/wq/$${h##*/} || exit 1; done
	for p in $(install_plugins); do \
		$(I) -m 755 $(B)/plugins/$$p.so $(DESTDIR)$(PLUGINDIR)/$$p.so || exit 1; done
	$(I) -m 755 $(B)/plugins/handlers/standard.so $(DESTDIR)$(PLUGINDIR)/handlers/standard.so
	for m in $(manuals); do to=$(DESTDIR)$(MANDIR)/man$${m##*.}/$${m##*/}; \
		$(I) -m 644 $$m $$to && sed -i $(replaced) $$to || exit 1; done
	for f in conf/wq.conf conf/wq-server.service; do \
		$(I) -m 644 $$f $(DESTDIR)$(PREFIX)/share/doc/wq/$${f##*/} || exit 1; done
	sed -i $(replaced) $(DESTDIR)$(PREFIX)/share/doc/wq/wq-server.service
	for f in docs/*.cddl README.md LICENSE; do \
		$(I) -m 644 $$f $(DESTDIR)$(PREFIX)/share/doc/wq/$${f##*/} || exit 1; done
	mkdir -p $(DESTDIR)$(LIBDIR)/pkgconfig
	printf '%s\n' 'prefix=$(PREFIX)' 'plugindir=$(PLUGINDIR)' 'Name: wq' \
		'Description: a durable work queue: client library and plugin headers' \
		'Version: $(VERSION)' 'Cflags: -I$(INCLUDEDIR)' 'Libs: -L$(LIBDIR) -lwq' \
		>$(DESTDIR)$(LIBDIR)/pkgconfig/wq.pc

uninstall: ## remove what install put there
	rm -f $(DESTDIR)$(BINDIR)/wq $(DESTDIR)$(SBINDIR)/wq-server $(DESTDIR)$(SBINDIR)/wq-shepherd
	rm -f $(DESTDIR)$(LIBDIR)/libwq.so $(DESTDIR)$(LIBDIR)/libwq.so.$(SOVERSION)
	rm -f $(DESTDIR)$(LIBDIR)/pkgconfig/wq.pc $(foreach m,$(manuals),$(DESTDIR)$(MANDIR)/man$(subst .,,$(suffix $(m)))/$(notdir $(m)))
	rm -rf $(DESTDIR)$(INCLUDEDIR)/wq $(DESTDIR)$(PLUGINDIR) $(DESTDIR)$(PREFIX)/share/doc/wq

$(B)/tests/bench/floor $(B)/tests/bench/spawn $(B)/tests/bench/peer: $(B)/tests/bench/%: $(B)/obj/tests/bench/%.o
	@mkdir -p $(@D)
	$(Q)$(CC) -o $@ $< $(ALL_LDFLAGS)

$(B)/tests/torture/oracle: $(B)/obj/tests/torture/oracle.o
	@mkdir -p $(@D)
	$(Q)$(CC) -o $@ $< $(ALL_LDFLAGS)

# The server's and libwq's own code under a seam of the test's: what it calls by these names is the
# test's, which has the real ones as __real_NAME.
engine_wraps := spool_io_real loop_run_once probe_file_system recover_spool plugin_load
$(B)/tests/torture/engine: $(call obj,$(wildcard tests/torture/engine/*.c)) $(call archives,server) $(call archives,client)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -o $@ $(patsubst %,-Wl$(comma)--wrap=%,$(engine_wraps)) $(call group,$(sort $^)) \
		$(call libs,server) $(ALL_LDFLAGS)

$(B)/tests/bench/load: $(B)/obj/tests/bench/load.o $(B)/lib/libwq.so
	@mkdir -p $(@D)
	$(Q)$(CC) -o $@ $< -L$(B)/lib -lwq -Wl,-rpath,'$$ORIGIN/../../lib' $(ALL_LDFLAGS)

# wq-shepherd as it was when its protocol was 1.0, which serves every later server.  Frozen: nothing
# of core is in it, and nothing there is changed.
fossil := tests/fossils/wq-shepherd-1.0
$(B)/$(fossil): $(wildcard $(fossil)/*/*.c $(fossil)/*/*.h $(fossil)/include/wq/*.h)
	$(call say,FOSSIL,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=c17 -D_GNU_SOURCE -DWQ_VERSION='"0.1.0"' -I$(fossil) -I$(fossil)/include $(CFLAGS) \
		-o $@ $(filter %.c,$^) $(ALL_LDFLAGS)

include tests/torture/power.mk
include tests/torture/torture.mk

torture-parts: torture-power torture-programs $(B)/tests/torture/engine
	@:

torture: torture-parts ## kill, fail and cut the power, at length; prints what was tried
	$(Q)tests/torture/run full $(B)

bench: all $(B)/tests/bench/floor $(B)/tests/bench/load ## compare with the floor that the file system sets; prints ratios
	$(Q)tests/bench/run $(B)

bench-commands: all $(B)/tests/bench/spawn ## compare with other runners of commands; prints ratios
	$(Q)tests/bench/commands $(B)

bench-levels: all $(B)/tests/bench/floor $(B)/tests/bench/load $(B)/tests/bench/peer ## what a level of durability costs, beside beanstalkd and redis; prints ratios
	$(Q)tests/bench/levels $(B)

clean: ## remove everything built
	rm -rf build

format: ## lay out the sources with clang-format
	clang-format -i $$(git ls-files '*.c' '*.h')

help: ## this text
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile
	@printf '\n  variables: CC=clang  SAN=address,undefined | thread  WERROR=1  V=1  CFLAGS LDFLAGS\n  DESTDIR PREFIX BINDIR SBINDIR LIBDIR INCLUDEDIR MANDIR SYSCONFDIR PLUGINDIR\n'

.PHONY: all units check quickstart deps clean format help install uninstall bench bench-commands bench-levels torture torture-parts FORCE

-include $(patsubst %.c,$(B)/obj/%.d,$(core_src) $(wildcard plugins/*/*.c) $(handler_src) \
	$(unit_src) $(plugin_test_src) $(bad_src) $(wildcard tests/support/*/*.c))
