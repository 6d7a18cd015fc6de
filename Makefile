# osh: one page, not recursive. `make help` lists the targets. Variants: V=1 loud, SAN=1 ASan+UBSan
# (build/san), TEST=1 with switches that leave out single layers (build/test; never installed).
B      := build$(if $(SAN),/san)$(if $(TEST),/test)
VERSION := 0.1.0
CC     ?= gcc
CLANG  ?= clang
Q      := $(if $(V),,@)
WARN   := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wswitch-enum -Wvla -Wformat=2 \
	  -Wno-missing-field-initializers $(if $(CI),-Werror)
HARDEN := -fstack-protector-strong -fstack-clash-protection -fcf-protection -D_FORTIFY_SOURCE=3 -fPIE
SANFL  := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
CFLAGS ?= -O2 -g
ALLFL  := -std=gnu17 -D_GNU_SOURCE $(WARN) $(CFLAGS) $(if $(SAN),$(SANFL),$(HARDEN)) -DOSH_VERSION='"$(VERSION)"' $(if $(TEST),-DOSH_TEST)
CPPFLAGS += -Iinclude -Iuserspace/base -Iuserspace/ipc -Ipolicy-compiler -I$B/gen -MMD -MP
LDFLAGS  += $(if $(SAN),$(SANFL),-pie -Wl,-z,relro,-z,now,-z,noexecstack) -Wl,--as-needed
PREFIX ?= /usr

# One row a program: what it may link. `make check-links` holds the built files against these rows.
programs      := oshctl oshd osh-front osh-launch osh-init osh-egress osh-audit osh-prove osh-gpu
dir_oshctl    := oshctl
# oshctl starts once a run: small archives instead of shared objects halve that (no relocations, and
# of libcrypto nothing but SHA-256).
libs_oshctl   := -Wl,-Bstatic -lyaml -ljansson -lcrypto -Wl,-Bdynamic -lsystemd
dir_oshd      := oshd
# Every embedded run starts oshd too; SQLite as an archive costs it half of what the shared object does.
libs_oshd     := -lsystemd -lbpf -lelf -lz -lcrypto -Wl,-Bstatic -lsqlite3 -Wl,-Bdynamic -lm
dir_osh-front   := front
libs_osh-front  := -lseccomp
dir_osh-launch  := launch
libs_osh-launch := -lbpf -lelf -lz -lseccomp -lmnl -lnftnl -lcrypto
dir_osh-init    := init
libs_osh-init   := $(if $(SAN),,-static)
dir_osh-egress  := egress
libs_osh-egress := -lcares -lseccomp -lssl -lcrypto -lnghttp2 -ljansson -lwslay
dir_osh-audit   := audit
libs_osh-audit  := -lbpf -lelf -lz -lseccomp -lcrypto
dir_osh-prove   := prove
libs_osh-prove  := -lz3 -lyaml -ljansson -lcrypto
# The compiler's reader of YAML reads CDI specifications, too.
dir_osh-gpu     := gpu
libs_osh-gpu    := -lseccomp -lyaml -ljansson -lcrypto

src   = $(wildcard userspace/$1/*.c userspace/$1/*/*.c)
obj   = $(patsubst %.c,$B/%.o,$1)
base.o   := $(call obj,$(call src,base) $(call src,ipc))
policy.o := $(call obj,$(wildcard policy-compiler/*.c))
comps    := oshctl oshd front launch init egress audit prove gpu
bpf.o    := $(patsubst %.bpf.c,$B/%.bpf.o,$(wildcard bpf/*.bpf.c))
units    := $(patsubst %.c,$B/%,$(wildcard tests/unit/*.c tests/bpf/*.c tests/differential/*.c tests/system/*.c tests/vm/*.c))
fuzzers  := $(patsubst tests/fuzz/%.c,$B/fuzz/%,$(wildcard tests/fuzz/*.c))
tools    := $(patsubst %.c,$B/%,$(wildcard bench/*.c tests/tools/*.c))

.PHONY: all demo test check test-vm budget fmt lint fuzz bench redteam-full install uninstall deb deps ready help clean check-links tests units tools FORCE
.SECONDARY:
.DELETE_ON_ERROR:
all: $(programs:%=$B/%) $B/oshctl.1 ## build all programs into build/

$B/oshctl.1: $B/oshctl
	$(Q)$< help --man >$@

$B/libbase.a: $(base.o)
$B/libpolicy.a: $(policy.o)
$(foreach c,$(comps),$(eval $B/lib-$c.a: $(filter-out %/main.o,$(call obj,$(call src,$c)))))
$B/%.a:
	$(Q)rm -f $@; ar rcs $@ $(filter %.o,$^)

define program
$B/$1: $B/userspace/$(dir_$1)/main.o $B/lib-$(dir_$1).a $(if $(filter oshctl osh-prove osh-gpu,$1),$B/libpolicy.a) $B/libbase.a
	@echo "  LD   $$@"
	$(Q)$(CC) $(if $(filter osh-init,$1),$(if $(SAN),$(LDFLAGS),-static -Wl,-z,relro,-z,now,-z,noexecstack),$(LDFLAGS)) -o $$@ $$^ $(libs_$1)
endef
$(foreach p,$(programs),$(eval $(call program,$p)))
# The egress has rooms of their own: "http/head.h", "tls/tls.h".
$B/userspace/egress/%.o $B/tests/unit/%.o $B/tests/differential/%.o $B/tests/tools/%.o: private CPPFLAGS += -Iuserspace/egress
$B/userspace/init/%.o: private HARDEN := $(filter-out -fPIE,$(HARDEN)) -fno-pie

$B/policy-compiler/embed.o $B/fuzz/obj/policy-compiler/embed.o: $(wildcard policy-compiler/*/*.yaml policy-compiler/*/*.json)
$B/%.o: %.c
	@mkdir -p $(@D); echo "  CC   $<"
	$(Q)$(CC) $(ALLFL) $(CPPFLAGS) -c $< -o $@

# BPF: each concern compiled alone, linked into one object, one skeleton for the loader.
$B/gen/vmlinux.h:
	@mkdir -p $(@D); echo "  BTF  $@"
	$(Q)bpftool btf dump file /sys/kernel/btf/vmlinux format c > $@
$B/bpf/%.bpf.o: bpf/%.bpf.c $B/gen/vmlinux.h
	@mkdir -p $(@D); echo "  BPF  $<"
	$(Q)$(CLANG) -g -O2 -Wall -Wno-missing-declarations -target bpf -mcpu=v3 -D__TARGET_ARCH_x86 $(if $(TEST),-DOSH_TEST) \
		-Iinclude -Ibpf -I$B/gen -MMD -MP -c $< -o $@
$B/osh.bpf.o: $(bpf.o)
	$(Q)bpftool gen object $@ $^
$B/gen/osh.skel.h: $B/osh.bpf.o
	$(Q)bpftool gen skeleton $< name osh_bpf > $@
$(call obj,$(call src,oshd) $(wildcard tests/bpf/*.c tests/system/*.c tests/vm/*.c bench/*.c)): | $B/gen/osh.skel.h

# Tests link every component's library; an archive gives only what a test asks for.
testlibs := $(comps:%=$B/lib-%.a) $B/libpolicy.a $B/libbase.a
alllibs  := -lcmocka -lyaml -ljansson -lsystemd -lbpf -lelf -lz -lseccomp -lmnl -lnftnl -lcares -lssl -lcrypto -lnghttp2 -lwslay -lsqlite3 -lz3 -lpthread
$(units) $(tools): $B/%: $B/%.o $(testlibs)
	@echo "  LD   $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $< -Wl,--start-group $(testlibs) -Wl,--end-group $(alllibs)
# Fuzzers: the parts that read what comes from outside, compiled once with coverage into an archive.
fuzzcc   := $(CLANG) -std=gnu17 -D_GNU_SOURCE -O1 -g -DOSH_VERSION='"$(VERSION)"' $(CPPFLAGS) -Iuserspace/egress
fuzz.o   := $(patsubst %.c,$B/fuzz/obj/%.o,$(filter-out %/main.c,$(wildcard policy-compiler/*.c) $(foreach d,base ipc egress oshctl gpu,$(call src,$d))))
$B/fuzz/obj/%.o: %.c
	@mkdir -p $(@D)
	$(Q)$(fuzzcc) -fsanitize=fuzzer-no-link,address,undefined -c $< -o $@
$B/fuzz/obj/all.a: $(fuzz.o)
$B/fuzz/%: tests/fuzz/%.c $B/fuzz/obj/all.a
	@mkdir -p $(@D); echo "  FUZZ $@"
	$(Q)$(fuzzcc) -fsanitize=fuzzer,address,undefined -o $@ $< $B/fuzz/obj/all.a -lyaml -ljansson -lcares -lseccomp -lssl -lcrypto -lnghttp2 -lwslay

units: $(units)
tools: $(tools)
tests: all units tools
ready: # what the machine must have, then what can be installed
	$(Q)tests/preflight && tests/deps
demo: ready ## build, then run the main job on real input
	$(Q)$(MAKE) --no-print-directory all tools && tests/demo/run
test: ready ## every test; ends with "N passed, N failed, N skipped"
	$(Q)tests/run all
check: tests ## quick tests: unit, golden, differential
	$(Q)tests/run quick
test-vm: ready ## LSM and system tests under stock Debian kernels in QEMU
	$(Q)tests/run vm
budget: tests ## measure what the verifier does for each BPF program, write tests/vm/budget
	$(Q)tests/vm/measure
check-links: all ## no program links a library that its row does not list
	$(Q)tests/links $B
fmt: ## format the C sources in place
	$(Q)tests/fmt $$(git ls-files '*.c' '*.h')
lint: $B/gen/osh.skel.h ## clang-tidy, cppcheck, shellcheck, file and function lengths
	$(Q)tests/lint $B
fuzz: $(fuzzers) ## libFuzzer targets, FUZZ_SECONDS each (default 60)
	$(Q)tests/fuzz/run $B/fuzz $(or $(FUZZ_SECONDS),60)
bench: ready ## ratios against peers, interleaved
	$(Q)$(MAKE) --no-print-directory all tools && bench/run
redteam-full: ready ## every attack without each layer; writes docs/redteam.md
	$(Q)$(MAKE) --no-print-directory all tools && tests/redteam/full.py
deps: ## install what is missing (apt-get)
	$(Q)tests/deps
install: all ## install into DESTDIR (PREFIX, BINDIR, ...: dist/install)
	$(if $(TEST)$(SAN),$(error a build for tests is never installed))
	$(Q)PREFIX=$(PREFIX) DESTDIR=$(DESTDIR) dist/install $B
uninstall: ## take away what install put there
	$(Q)PREFIX=$(PREFIX) DESTDIR=$(DESTDIR) dist/install --remove $B
deb: all ## a Debian package, build/osh_VERSION_amd64.deb
	$(if $(TEST)$(SAN),$(error a build for tests is never packed))
	$(Q)dist/deb
clean: ## remove build/
	rm -rf build
help: ## this list
	$(Q)sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 16

-include $(shell find $B -path $B/vm -prune -o -name '*.d' -type f -print 2>/dev/null)
