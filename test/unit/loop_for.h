/* A loop that runs for some time: `loop` is the test's. */
#pragma once

static struct loop loop;

static int loop_for_end(struct source *s, uint32_t events)
{
	loop_stop(&loop, 0);
	return 0;
}

/* In pieces: where others kept us from running one of them is over at once, and not all. */
static void run(uint32_t ms)
{
	uint32_t piece = ms < 10 ? 1 : ms / 10;

	for (uint32_t passed = 0; passed < ms; passed += piece) {
		struct source timer = { 0 };

		source_timer(&timer, &loop, piece, loop_for_end);
		assert_int_equal(loop_run(&loop), 0);
		source_remove(&timer);
	}
}
