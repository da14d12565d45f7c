# The front door; meson does the work. See HACKING.md.
BUILD ?= build
PREFIX ?= /usr/local
T ?= spec
ARCH ?= aarch64
SECS ?= 60
NICE ?= nice
# What $(BUILD)/berth is linked with: musl where Debian's musl-tools are, else as all else here.
LIBC ?= $(if $(shell command -v musl-gcc),musl,system)
PRODUCT = $(BUILD)$(if $(filter musl,$(LIBC)),/musl)
export NICE NINJA_FLAGS

all: $(BUILD)/build.ninja
	@$(NICE) ninja -C $(BUILD) $(NINJA_FLAGS)
	@$(if $(filter musl,$(LIBC)),tools/musl $(BUILD) --prefix=$(PREFIX),ln -sfn src/runtime/berth $(BUILD)/berth; ln -sfn src/shim/containerd-shim-berth-v2 $(BUILD)/containerd-shim-berth-v2)

# Configured again when a source file came or went: the folder is the list.
$(BUILD)/build.ninja: FORCE
	@tools/configure $(BUILD) --prefix=$(PREFIX)

check: all
	tools/suite $(BUILD) unit golden replay it vm

soak: all
	BERTH_SOAK=1 tools/suite $(BUILD) unit golden replay it vm old

it golden unit replay vm old: all
	tools/suite $(BUILD) $@

# make golden UPDATE=1 rewrites the expected plans; review reads the diff.
golden: export GOLDEN_UPDATE = $(UPDATE)

san:
	@tools/configure build-san --buildtype=debug -Doptimization=1 -Dstatic=false \
		-Db_sanitize=address,undefined -Db_lundef=false
	@$(NICE) ninja -C build-san
	BERTH_SAN=1 tools/suite build-san unit golden replay it

# Another machine: ARCH is aarch64 or armhf; under qemu-user.
cross:
	@tools/cross/configure $(ARCH)
	@$(NICE) ninja -C build-$(ARCH) $(NINJA_FLAGS)
	BERTH_LEFT_OUT=tools/cross/left-out tools/suite build-$(ARCH) unit golden replay

fuzz:
	@CC=clang tools/configure build-fuzz --buildtype=debug -Doptimization=1 -Dstatic=false \
		-Db_sanitize=address,undefined -Db_lundef=false -Dfuzz=true
	@$(NICE) ninja -C build-fuzz fuzz/fuzz_$(T)
	@mkdir -p build-fuzz/corpus-$(T)
	cd build-fuzz && $(NICE) fuzz/fuzz_$(T) -max_total_time=$(SECS) -timeout=10 -rss_limit_mb=1024 \
		-print_final_stats=1 corpus-$(T) $(CURDIR)/fuzz/corpus/$(T)

lint: all
	tools/lint $(BUILD)

bench: all
	bench/run $(BUILD)
	bench/run-shim $(BUILD)
	tools/readme

# Counters are written where a process ends: of src/init there are none, as it ends in the container,
# and tests that compare what is said there or by another user fail of gcov's own words ("profiling:").
cover:
	@tools/configure build-cover --buildtype=debug -Dstatic=false -Db_coverage=true
	@$(NICE) ninja -C build-cover
	-tools/suite build-cover unit golden replay it
	gcovr --root . --object-directory build-cover --filter src/ --print-summary build-cover

install: all
	DESTDIR=$(DESTDIR) meson install -C $(PRODUCT) --no-rebuild --strip

clean:
	rm -rf build build-san build-fuzz build-cover build-aarch64 build-armhf

FORCE:
.PHONY: all check soak it golden unit replay vm old san cross fuzz lint bench cover install clean FORCE
