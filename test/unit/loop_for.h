/* A loop that runs for some time: `loop` is the test's. */
#pragma once

static struct loop loop;

static int loop_for_end(struct source *s, uint32_t events)
{
	loop_stop(&loop, 0);
	return 0;
}

static void run(uint32_t ms)
{
	struct source timer = { 0 };

	source_timer(&timer, &loop, ms, loop_for_end);
	assert_int_equal(loop_run(&loop), 0);
	source_remove(&timer);
}
