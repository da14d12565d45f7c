# The front door; meson does the work. See HACKING.md.
BUILD ?= build
PREFIX ?= /usr/local
T ?= spec
ARCH ?= aarch64
SECS ?= 60
SAN ?= all
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
	BERTH_SOAK=1 BERTH_AGAIN=$${BERTH_AGAIN:-3} tools/suite $(BUILD) unit golden replay it vm old

it golden unit replay vm old: all
	tools/suite $(BUILD) $@

# With containerd and docker of newer releases of Debian, which are fetched.
newer: all
	test/newer/run $(BUILD)

# make golden UPDATE=1 rewrites the expected plans; review reads the diff.
golden: export GOLDEN_UPDATE = $(UPDATE)

# SAN=most: without the files that compare much with runc and run little of ours.
build-san:
	@tools/configure build-san --buildtype=debug -Doptimization=1 -Dstatic=false \
		-Db_sanitize=address,undefined -Db_lundef=false
	@$(NICE) ninja -C build-san
san: build-san
	BERTH_SAN=$(SAN) tools/suite build-san unit golden replay it

# The tests of what has threads, which ThreadSanitizer watches.
TSAN = hcs_dispatch hcs_life hcs_states hcs_queue hcs_log hcs_shim store store_commit store_damage
build-tsan:
	@tools/configure build-tsan --buildtype=debug -Doptimization=1 -Dstatic=false \
		-Db_sanitize=thread -Db_lundef=false
	@$(NICE) ninja -C build-tsan $(TSAN:%=test/test_%)
tsan: build-tsan
	BERTH_UNIT='$(TSAN)' tools/suite build-tsan unit

# Another machine: ARCH is aarch64 or armhf; under qemu-user.
build-aarch64 build-armhf:
	@tools/cross/configure $(@:build-%=%)
	@$(NICE) ninja -C $@ $(NINJA_FLAGS)
cross: build-$(ARCH)
	BERTH_LEFT_OUT=tools/cross/left-out tools/suite build-$(ARCH) unit golden replay

fuzz:
	@CC=clang tools/configure build-fuzz --buildtype=debug -Doptimization=1 -Dstatic=false \
		-Db_sanitize=address,undefined -Db_lundef=false -Dfuzz=true
	@$(NICE) ninja -C build-fuzz fuzz/fuzz_$(T)
	@mkdir -p build-fuzz/corpus-$(T)
	cd build-fuzz && UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 $(NICE) fuzz/fuzz_$(T) -max_total_time=$(SECS) -timeout=10 -rss_limit_mb=1024 \
		-print_final_stats=1 corpus-$(T) $(CURDIR)/fuzz/corpus/$(T)

lint: all
	tools/lint $(BUILD)

bench: all
	bench/run $(BUILD)
	bench/run-shim $(BUILD)
	bench/run-library $(BUILD)
	bench/run-daemon $(BUILD)
	tools/readme

bench-daemon: all
	bench/run-daemon $(BUILD)
	tools/readme

bench-library: all
	bench/run-library $(BUILD)
	tools/readme

# Counters are written where a process ends, to files by its side that everybody who runs it may write
# to, or gcov says so on its standard error. Not by an execve, which may be in a container, whose root
# has no such place: of src/init there are none.
cover:
	@tools/configure build-cover --buildtype=debug -Db_coverage=true -Dc_args=-fno-builtin-execve
	@$(NICE) ninja -C build-cover
	@find build-cover -name '*.gcno' | sed 's/no$$/da/' | xargs -n 1 install -m 666 /dev/null
	-tools/suite build-cover unit golden replay it
	@find build-cover -name '*.gcda' -empty -delete
	gcovr --root . --object-directory build-cover --filter src/ --print-summary build-cover

install: all
	DESTDIR=$(DESTDIR) meson install -C $(PRODUCT) --no-rebuild --strip
	$(if $(filter musl,$(LIBC)),DESTDIR=$(DESTDIR) meson install -C $(BUILD) --no-rebuild --strip --tags devel)

clean:
	rm -rf build build-san build-tsan build-fuzz build-cover build-aarch64 build-armhf

FORCE:
.PHONY: all newer build-tsan tsan check soak it golden unit replay vm old build-san san build-aarch64 build-armhf cross fuzz lint bench bench-library bench-daemon cover install clean FORCE
