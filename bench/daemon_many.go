// Many tasks at the same time: what they cost, how long a list of them takes, and how
// long a daemon that was killed needs to know them all again. And events, through the
// Go client and between two programs in C.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	apievents "github.com/containerd/containerd/api/events"
	"github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/containerd/containerd/api/types/task"
	"github.com/gogo/protobuf/types"
)

var empty = &types.Empty{}

// ---- many tasks ------------------------------------------------------------------------

// How many a list says are running.
func listed(ctx context.Context, d *daemon) int {
	n := 0
	r, err := d.client.TaskService().List(ctx, &tasks.ListTasksRequest{})
	if err != nil {
		return -1
	}
	for _, t := range r.Tasks {
		if t.Status == task.StatusRunning {
			n++
		}
	}
	return n
}

func (b *bench) makeMany(ctx context.Context, p *peer) {
	fmt.Fprintf(os.Stderr, "bench: %s: %d tasks are made\n", p.daemon.name, *many)
	ids := make(chan string, *many)
	for i := 0; i < *many; i++ {
		ids <- b.id("kept")
	}
	close(ids)
	before, charged, begun := available(), p.daemon.charged(), time.Now()
	status := atOnce(func() int {
		for id := range ids {
			c, err := p.container(ctx, "kept", id)
			must(err, "container %s", id)
			t, err := c.NewTask(ctx, null)
			must(err, "task %s", id)
			must(t.Start(ctx), "start task %s", id)
		}
		return 0
	})
	b.fact(p.daemon, "make_s", 0, time.Since(begun).Seconds())
	if n := listed(ctx, p.daemon); status != 0 || n != *many {
		die("%s: %d of %d tasks are running", p.daemon.name, n, *many)
	}
	time.Sleep(3 * time.Second)
	own := workloads(ctx, p.daemon)
	b.fact(p.daemon, "workload_kib", 0, own/float64(*many))
	b.fact(p.daemon, "per_container_kib", 0, (before-available()-own)/float64(*many))
	b.fact(p.daemon, "charged_kib", 0, (p.daemon.charged()-charged-own)/float64(*many))
	b.fact(p.daemon, "many_rss_kib", 0, p.daemon.status("VmRSS:"))
	b.fact(p.daemon, "many_threads", 0, p.daemon.status("Threads:"))
}

// The pages of the containers' own processes, in KiB.
func workloads(ctx context.Context, d *daemon) float64 {
	var sum float64
	r, err := d.client.TaskService().List(ctx, &tasks.ListTasksRequest{})
	must(err, "list the tasks")
	for _, t := range r.Tasks {
		n, ok := number(fmt.Sprintf("/proc/%d/smaps_rollup", t.Pid), "Pss:")
		if !ok {
			die("%s: no process %d", d.name, t.Pid)
		}
		sum += n
	}
	return sum
}

func takeLists(ctx context.Context) func(b *bench, p *peer) {
	return func(b *bench, p *peer) {
		for i := 0; i < 3; i++ {
			begun := time.Now()
			n := listed(ctx, p.daemon)
			wall := time.Since(begun)
			if n != *many {
				die("%s: %d of %d tasks are listed", p.daemon.name, n, *many)
			}
			b.fact(p.daemon, "list_ms", 3*b.round+i, millis(wall))
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// From the start of the next daemon until it lists them all. It is asked again soon
// after each answer.
func takeRestart(ctx context.Context) func(b *bench, p *peer) {
	return func(b *bench, p *peer) {
		d := p.daemon
		d.kill()
		cpu := d.settled()
		begun := time.Now()
		d.start(ctx)
		serves := time.Since(begun)
		for listed(ctx, d) != *many {
			if time.Since(begun) > time.Minute {
				die("%s: %d of %d tasks are back", d.name, listed(ctx, d), *many)
			}
			time.Sleep(10 * time.Millisecond)
		}
		b.fact(d, "back_ms", b.round, millis(time.Since(begun)))
		b.fact(d, "serves_ms", b.round, millis(serves))
		b.fact(d, "back_cpu_ms", b.round, millis(d.settled()-cpu))
		time.Sleep(2 * time.Second)
		b.fact(d, "back_rss_kib", b.round, d.status("VmRSS:"))
	}
}

// Each daemon begins anew, as it was when its idle memory was taken.
func (b *bench) runMany(ctx context.Context, peers []*peer) {
	for _, p := range peers {
		p.daemon.kill()
		p.daemon.start(ctx)
		b.makeMany(ctx, p)
	}
	b.rounds("many", *restarts, 0, peers, takeLists(ctx))
	b.rounds("back", *restarts, 0, peers, takeRestart(ctx))
	for _, p := range peers {
		removeMany(ctx, p.daemon)
	}
}

func removeMany(ctx context.Context, d *daemon) {
	r, err := d.client.TaskService().List(ctx, &tasks.ListTasksRequest{})
	must(err, "list the tasks")
	ids := make(chan string, len(r.Tasks))
	for _, t := range r.Tasks {
		ids <- t.ID
	}
	close(ids)
	atOnce(func() int {
		for id := range ids {
			s := d.client.TaskService()
			s.Kill(ctx, &tasks.KillRequest{ContainerID: id, Signal: uint32(syscall.SIGKILL)})
			s.Wait(ctx, &tasks.WaitRequest{ContainerID: id})
			s.Delete(ctx, &tasks.DeleteTaskRequest{ContainerID: id})
		}
		return 0
	})
	if n := listed(ctx, d); n != 0 {
		fmt.Fprintf(os.Stderr, "bench: %s: %d tasks are left\n", d.name, n)
	}
}

// ---- events ----------------------------------------------------------------------------

// So many publishers, one subscriber: until the last has come.
func takeGoEvents(ctx context.Context, publishers int) func(b *bench, p *peer) {
	const topic, n = "/bench/event", 4000
	return func(b *bench, p *peer) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		s := p.daemon.client.EventService()
		ch, errs := s.Subscribe(ctx, `topic=="`+topic+`"`)
		// One that comes tells that the subscription holds.
		for ready := false; !ready; {
			must(s.Publish(ctx, topic, &apievents.TaskOOM{ContainerID: "first"}), "publish")
			select {
			case <-ch:
				ready = true
			case <-time.After(20 * time.Millisecond):
			}
		}
		time.Sleep(50 * time.Millisecond)
		for len(ch) > 0 {
			<-ch
		}
		todo := make(chan int, n)
		for i := 0; i < n; i++ {
			todo <- i
		}
		close(todo)
		b.take(fmt.Sprintf("events-go-%d", publishers), p, n, func() int {
			for i := 0; i < publishers; i++ {
				go func() {
					for i := range todo {
						e := &apievents.TaskExit{ContainerID: "bench", ID: "bench", Pid: uint32(i)}
						must(s.Publish(ctx, topic, e), "publish")
					}
				}()
			}
			for i := 0; i < n; i++ {
				select {
				case <-ch:
				case err := <-errs:
					return complain(err)
				case <-time.After(10 * time.Second):
					return complain(fmt.Errorf("%s: %d of %d events have come", p.daemon.name, i, n))
				}
			}
			return 0
		})
	}
}

// The C programs count for themselves, and say how many a second.
func takeEvents(b *bench, p *peer) {
	n := "100000"
	if p.name != "berth" {
		n = "20000"
	}
	c := exec.Command(*events, "-a", p.daemon.address(), "-n", n)
	c.Stderr = os.Stderr
	text, err := c.Output()
	var rate float64
	if err == nil {
		_, err = fmt.Sscanf(string(text), "%f", &rate)
	}
	must(err, "%s: events: %s", p.daemon.name, text)
	if b.round >= 0 {
		b.fact(p.daemon, "events_c", b.round, rate)
	}
}
