// The bench of daemons with containerd's API: berthd, and containerd with runc and with
// crun, each through containerd's own Go client. Every round holds each of them once,
// shuffled. Statistics are bench/report-daemon's.
//
//	daemon_client [flags] NAME=DAEMON[,BINARY]...
//
// DAEMON is a directory of bench/run-daemon's: `start` runs the daemon in its group,
// `sock` is its address. Built with GOPATH=/usr/share/gocode from Debian's
// golang-github-containerd-containerd-dev.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/containerd/containerd"
	"github.com/containerd/containerd/cio"
	"github.com/containerd/containerd/namespaces"
	"github.com/containerd/containerd/runtime/v2/runc/options"
	"github.com/opencontainers/runtime-spec/specs-go"
)

const (
	namespace = "bench"
	runtime   = "io.containerd.runc.v2"
	parallel  = 8
	deadline  = 20 * time.Minute
)

var (
	work     = flag.String("work", "", "directory with bundle/NAME/config.json and rootfs")
	cgroup   = flag.String("cgroup", "", "parent of all cgroups")
	cpuacct  = flag.String("cpuacct", "", "its directory in the hierarchy with cpuacct")
	memory   = flag.String("memory", "", "the same of the one with memory")
	out      = flag.String("out", "", "samples")
	facts    = flag.String("facts", "", "other figures")
	events   = flag.String("events", "", "the sender and subscriber in C")
	gaps     = flag.Int("gap", 10, "rounds with gaps")
	hots     = flag.Int("hot", 10, "rounds without")
	batches  = flag.Int("batches", 3, "rounds of many in parallel, and of events")
	many     = flag.Int("many", 0, "tasks that run at the same time; 0: none of it")
	restarts = flag.Int("restarts", 5, "rounds of lists and restarts with them")
	seed     = flag.Int64("seed", 1, "of the order")
)

// ---- daemons -----------------------------------------------------------------------

type daemon struct {
	name, dir string
	group     string // its directory of cpuacct
	client    *containerd.Client
	process   *exec.Cmd
}

var daemons []*daemon

func (d *daemon) pid() int        { return d.process.Process.Pid }
func (d *daemon) address() string { return filepath.Join(d.dir, "sock") }

func (d *daemon) spawn() {
	d.process = exec.Command(filepath.Join(d.dir, "start"))
	log, err := os.OpenFile(filepath.Join(d.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0600)
	must(err, "%s: its log", d.name)
	defer log.Close()
	d.process.Stdout, d.process.Stderr = log, log
	must(d.process.Start(), "start %s", d.name)
}

// Until it serves.
func (d *daemon) start(ctx context.Context) {
	d.spawn()
	d.connect(ctx)
}

func (d *daemon) connect(ctx context.Context) {
	var err error
	for until := time.Now().Add(30 * time.Second); time.Now().Before(until); time.Sleep(time.Millisecond) {
		if _, err = os.Stat(d.address()); err != nil {
			continue
		}
		if d.client, err = containerd.New(d.address(), containerd.WithTimeout(time.Second)); err != nil {
			continue
		}
		if _, err = d.client.VersionService().Version(ctx, empty); err == nil {
			return
		}
		d.client.Close()
	}
	must(err, "%s does not serve", d.name)
}

func (d *daemon) kill() {
	if d.client != nil {
		d.client.Close()
		d.client = nil
	}
	d.process.Process.Kill()
	d.process.Wait()
	d.process = nil
	os.Remove(d.address())
}

func stopDaemons() {
	for _, d := range daemons {
		if d.process != nil {
			d.process.Process.Kill()
			d.process.Wait()
		}
	}
}

// ---- peers: what a client chooses ----------------------------------------------------

type peer struct {
	name, binary string
	daemon       *daemon
	target       containerd.Task // runs, to exec into
	process      *specs.Process
}

func addPeer(text string) *peer {
	name, rest, _ := strings.Cut(text, "=")
	dir, binary, _ := strings.Cut(rest, ",")
	p := &peer{name: name, binary: binary}
	for _, d := range daemons {
		if d.dir == dir {
			p.daemon = d
		}
	}
	if p.daemon == nil {
		p.daemon = &daemon{name: filepath.Base(dir), dir: dir, group: filepath.Join(*cpuacct, filepath.Base(dir))}
		daemons = append(daemons, p.daemon)
	}
	return p
}

// Of bench/bundles, with a cgroup of its own.
func readSpec(bundle, parent, id string) *specs.Spec {
	var s specs.Spec
	text, err := os.ReadFile(filepath.Join(*work, "bundle", bundle, "config.json"))
	must(err, "bundle %s", bundle)
	must(json.Unmarshal(text, &s), "bundle %s", bundle)
	s.Linux.CgroupsPath = filepath.Join(*cgroup, parent, id)
	return &s
}

func (p *peer) container(ctx context.Context, bundle, id string) (containerd.Container, error) {
	opts := &options.Options{BinaryName: p.binary}
	return p.daemon.client.NewContainer(ctx, id,
		containerd.WithSpec(readSpec(bundle, p.daemon.name, id)), containerd.WithRuntime(runtime, opts))
}

func null(string) (cio.IO, error) { return &noIO{}, nil }

// No streams at all.
type noIO struct{}

func (*noIO) Config() cio.Config { return cio.Config{} }
func (*noIO) Cancel()            {}
func (*noIO) Wait()              {}
func (*noIO) Close() error       { return nil }

// ---- the cases -------------------------------------------------------------------------

func (b *bench) id(what string) string {
	b.next++
	return fmt.Sprintf("%s%d", what, b.next)
}

// Create, Start, Wait, Delete of a task. 0, or what went wrong.
func life(ctx context.Context, c containerd.Container, l *laps) int {
	t, err := c.NewTask(ctx, null)
	if err != nil {
		return complain(err)
	}
	l.lap("create")
	return finish(ctx, t, l)
}

func finish(ctx context.Context, t containerd.Process, l *laps) int {
	exit, err := t.Wait(ctx)
	if err == nil {
		err = t.Start(ctx)
	}
	if err != nil {
		return complain(err)
	}
	l.lap("start")
	status := <-exit
	l.lap("exit")
	if _, err = t.Delete(ctx); err != nil {
		return complain(err)
	}
	l.lap("delete")
	return int(status.ExitCode())
}

func complain(err error) int {
	fmt.Fprintln(os.Stderr, "bench:", err)
	return 1
}

func takeLife(ctx context.Context) func(b *bench, p *peer) {
	return func(b *bench, p *peer) {
		c, err := p.container(ctx, "full", b.id("life"))
		must(err, "a container")
		var l laps
		b.take("life", p, 1, func() int {
			l.begin()
			return life(ctx, c, &l)
		})
		b.laps(p, &l)
		must(c.Delete(ctx), "delete a container")
	}
}

func takeExec(ctx context.Context) func(b *bench, p *peer) {
	return func(b *bench, p *peer) {
		id := b.id("exec")
		b.take("exec", p, 1, func() int {
			e, err := p.target.Exec(ctx, id, p.process, null)
			if err != nil {
				return complain(err)
			}
			return finish(ctx, e, &laps{})
		})
	}
}

// Container and task, from nothing to nothing.
func whole(ctx context.Context, p *peer, id string) int {
	c, err := p.container(ctx, "full", id)
	if err != nil {
		return complain(err)
	}
	status := life(ctx, c, &laps{})
	if err := c.Delete(ctx); err != nil {
		return complain(err)
	}
	return status
}

// By `parallel` clients at once, n of them.
func takeParallel(ctx context.Context, n int) func(b *bench, p *peer) {
	return func(b *bench, p *peer) {
		ids := make(chan string, n)
		for i := 0; i < n; i++ {
			ids <- b.id("many")
		}
		close(ids)
		b.take("parallel", p, n, func() int {
			return atOnce(func() (status int) {
				for id := range ids {
					status |= whole(ctx, p, id)
				}
				return status
			})
		})
	}
}

func atOnce(work func() int) int {
	var all sync.WaitGroup
	var lock sync.Mutex
	status := 0
	for i := 0; i < parallel; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			s := work()
			lock.Lock()
			status |= s
			lock.Unlock()
		}()
	}
	all.Wait()
	return status
}

func takeCtr(b *bench, p *peer) {
	id := b.id("ctr")
	args := []string{"-a", p.daemon.address(), "run", "--rm", "--rootfs",
		"--cgroup", filepath.Join(*cgroup, p.daemon.name, id)}
	if p.binary != "" {
		args = append(args, "--runc-binary", p.binary)
	}
	c := exec.Command("ctr", append(args, filepath.Join(*work, "rootfs"), id, "/bin/true")...)
	b.take("ctr", p, 1, func() int {
		if text, err := c.CombinedOutput(); err != nil {
			return complain(fmt.Errorf("ctr run: %v: %s", err, text))
		}
		return 0
	})
}

// ---- the run ---------------------------------------------------------------------------

func startTarget(ctx context.Context, p *peer) {
	c, err := p.container(ctx, "sleep", "target-"+p.name)
	must(err, "a container")
	p.target, err = c.NewTask(ctx, null)
	must(err, "a task")
	must(p.target.Start(ctx), "start a task")
	p.process = readSpec("full", p.daemon.name, "").Process
}

func stopTarget(ctx context.Context, p *peer) {
	exit, err := p.target.Wait(ctx)
	must(err, "wait for a task")
	must(p.target.Kill(ctx, syscall.SIGKILL), "kill a task")
	<-exit
	_, err = p.target.Delete(ctx)
	must(err, "delete a task")
}

func (b *bench) idleMemory() {
	time.Sleep(2 * time.Second)
	for _, d := range daemons {
		b.fact(d, "idle_rss_kib", 0, d.status("VmRSS:"))
		b.fact(d, "idle_threads", 0, d.status("Threads:"))
	}
}

func create(path string) *bufio.Writer {
	f, err := os.Create(path)
	must(err, "write '%s'", path)
	return bufio.NewWriter(f)
}

func main() {
	flag.Parse()
	time.AfterFunc(deadline, func() { die("something hung, giving up") })
	ctx := namespaces.WithNamespace(context.Background(), namespace)
	var peers, one []*peer
	for _, text := range flag.Args() {
		p := addPeer(text)
		peers = append(peers, p)
		if p.binary == "" {
			one = append(one, p) // one for each daemon
		}
	}
	b := &bench{out: create(*out), facts: create(*facts), random: rand.New(rand.NewSource(*seed))}
	fmt.Fprintln(b.out, "mode,round,case,runtime,wall_us,cpu_us,rusage_us,rss_kib,status,count")
	fmt.Fprintln(b.facts, "peer,what,round,value")
	for _, d := range daemons {
		d.start(ctx)
	}
	b.idleMemory()
	for _, p := range peers {
		startTarget(ctx, p)
	}
	single := []func(b *bench, p *peer){takeLife(ctx), takeExec(ctx), takeCtr}
	b.rounds("warm", 2, 0, peers, single...)
	b.rounds("gap", *gaps, 25*time.Millisecond, peers, single...)
	b.rounds("hot", *hots, 0, peers, single...)
	b.rounds("batch", *batches, 0, peers, takeParallel(ctx, 3*parallel))
	b.rounds("batch", *batches, 0, one, takeGoEvents(ctx, 1), takeGoEvents(ctx, parallel), takeEvents)
	for _, p := range peers {
		stopTarget(ctx, p)
	}
	if *many > 0 {
		b.runMany(ctx, one)
	}
	stopDaemons()
}
