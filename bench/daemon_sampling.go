// What the driver of bench/run-daemon measures with: one sample after the other, the
// CPU of everything in a daemon's group, memory, and rounds in a random order that a
// seed repeats. What must not fail ends the program.
package main

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

func die(format string, args ...interface{}) {
	fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...)
	stopDaemons()
	os.Exit(1)
}

func must(err error, format string, args ...interface{}) {
	if err != nil {
		die("%s: %v", fmt.Sprintf(format, args...), err)
	}
}

// ---- CPU ---------------------------------------------------------------------

const (
	quiet  = 20 * time.Microsecond
	settle = 100
)

// Of all that has ever been in the group and below it: daemon, shims, runtimes,
// containers. cpuacct.usage is nanoseconds, cpu.stat begins with usage_usec.
func (d *daemon) cpu() time.Duration {
	text, err := os.ReadFile(filepath.Join(d.group, "cpuacct.usage"))
	unit := time.Nanosecond
	if err != nil {
		text, err = os.ReadFile(filepath.Join(d.group, "cpu.stat"))
		must(err, "read the CPU usage")
		text = bytes.TrimPrefix(bytes.SplitN(text, []byte("\n"), 2)[0], []byte("usage_usec "))
		unit = time.Microsecond
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	must(err, "read the CPU usage")
	return time.Duration(n) * unit
}

// What goes on after an answer belongs to the sample.
func (d *daemon) settled() time.Duration {
	before := d.cpu()
	for i := 0; i < settle; i++ {
		time.Sleep(time.Millisecond)
		now := d.cpu()
		if now < before+quiet {
			return now
		}
		before = now
	}
	return before
}

// ---- samples -------------------------------------------------------------------

type bench struct {
	out, facts *bufio.Writer
	mode       string
	round      int
	gap        time.Duration
	random     *rand.Rand
	next       int
}

// One sample: `work` between the clocks; what it returns is 0 where all went well.
func (b *bench) take(name string, p *peer, count int, work func() int) {
	if b.gap > 0 {
		time.Sleep(b.gap)
	}
	cpu := p.daemon.settled()
	begun := time.Now()
	status := work()
	wall := time.Since(begun)
	cpu = p.daemon.settled() - cpu
	b.write(name, p, micros(wall)/float64(count), micros(cpu)/float64(count), status, count)
}

func (b *bench) write(name string, p *peer, wall, cpu float64, status, count int) {
	if b.round < 0 {
		return
	}
	fmt.Fprintf(b.out, "%s,%d,%s,%s,%.1f,%.1f,0,0,%d,%d\n", b.mode, b.round, name, p.name, wall, cpu, status, count)
	b.out.Flush()
}

// Parts of a sample, of which the time is known, but not the CPU.
type laps struct {
	last  time.Time
	names []string
	walls []time.Duration
}

func (l *laps) begin() { l.last = time.Now() }

func (l *laps) lap(name string) {
	now := time.Now()
	l.names, l.walls = append(l.names, name), append(l.walls, now.Sub(l.last))
	l.last = now
}

func (b *bench) laps(p *peer, l *laps) {
	for i, name := range l.names {
		b.write(name, p, micros(l.walls[i]), 0, 0, 1)
	}
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// A figure that is no sample of a round: peer,what,round,value.
func (b *bench) fact(d *daemon, what string, round int, value float64) {
	fmt.Fprintf(b.facts, "%s,%s,%d,%.3f\n", d.name, what, round, value)
	b.facts.Flush()
}

// Every job of every peer once, shuffled: a busy minute falls on all alike.
func (b *bench) rounds(mode string, n int, gap time.Duration, peers []*peer, jobs ...func(b *bench, p *peer)) {
	b.mode, b.gap = mode, gap
	type job struct {
		do func(b *bench, p *peer)
		p  *peer
	}
	var all []job
	for _, p := range peers {
		for _, do := range jobs {
			all = append(all, job{do, p})
		}
	}
	for r := 0; r < n; r++ {
		if b.round = r; mode == "warm" {
			b.round = -1
		}
		b.random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		for _, j := range all {
			j.do(b, j.p)
		}
		if mode != "warm" && ((r+1)%10 == 0 || r+1 == n) {
			fmt.Fprintf(os.Stderr, "bench: %s: %d of %d rounds\n", mode, r+1, n)
		}
	}
}

// ---- memory --------------------------------------------------------------------

// The number after `key` in a file, in KiB as the kernel writes them.
func number(path, key string) (float64, bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	for _, line := range strings.Split(string(text), "\n") {
		if f := strings.Fields(line); len(f) > 1 && f[0] == key {
			n, err := strconv.ParseFloat(f[1], 64)
			return n, err == nil
		}
	}
	return 0, false
}

func (d *daemon) status(key string) float64 {
	n, ok := number(fmt.Sprintf("/proc/%d/status", d.pid()), key)
	if !ok {
		die("%s: no %s", d.name, key)
	}
	return n
}

// Free for whoever wants it, as the kernel estimates it; the most in a second, so that what
// others have for a moment counts little.
func available() float64 {
	var best float64
	for i := 0; i < 10; i++ {
		n, ok := number("/proc/meminfo", "MemAvailable:")
		if !ok {
			die("no MemAvailable")
		}
		if n > best {
			best = n
		}
		time.Sleep(100 * time.Millisecond)
	}
	return best
}

// What the kernel charges to a daemon's group and to all below it: what it knows whose it
// is, whatever others do meanwhile.
func (d *daemon) charged() float64 {
	dir := filepath.Join(*memory, d.name)
	text, err := os.ReadFile(filepath.Join(dir, "memory.usage_in_bytes"))
	if err != nil {
		text, err = os.ReadFile(filepath.Join(dir, "memory.current"))
		must(err, "read the memory usage")
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(string(text)), 64)
	must(err, "read the memory usage")
	return n / 1024
}
