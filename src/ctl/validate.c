/* validate: what create would say of a document, all of it, without any effect. */
#include <errno.h>
#include <string.h>

#include "ctl.h"
#include "json.h"

static int show_report(struct request *q, const struct json *report, struct err *e)
{
	static const char *const head[] = { "POINTER", "LINE", "PROBLEM", NULL };
	const struct json *events = json_get(report, "ErrorEvents");
	struct table t = { .columns = 3 };
	int r = cells(&t, q, head);

	for (uint32_t i = 0; r == 0 && events && i < events->n; i++) {
		const struct json *event = json_at(events, i);
		const char *source = json_string(json_get(event, "Source"), "");

		r = cell(&t, q, "%s", json_string(json_get(json_at(json_get(event, "Data"), 0), "Value"), ""));
		if (r == 0)
			r = cell(&t, q, "%s", str_starts(source, "line ") ? source + strlen("line ") : "");
		if (r == 0)
			r = cell(&t, q, "%s", json_string(json_get(event, "Message"), ""));
	}
	if (r < 0)
		return no_memory(e);
	return show_table(&t, e);
}

static int show_valid(struct request *q, const struct json *report, struct err *e)
{
	OWN_SB struct sb out = SB_INIT;
	struct jw w;

	jw_init(&w, &out, NULL);
	jw_begin(&w, '{');
	jw_kbool(&w, "Valid", !report);
	jw_key(&w, "ErrorEvents");
	if (json_get(report, "ErrorEvents")) {
		jw_value(&w, json_get(report, "ErrorEvents"));
	} else {
		jw_begin(&w, '[');
		jw_end(&w);
	}
	jw_end(&w);
	sb_putc(&out, '\n');
	return cli_put_sb(&out, e);
}

static int validate_run(struct request *q, void *options, struct err *e)
{
	struct json_doc doc = { 0 };
	OWN_RESULT report = NULL;
	HRESULT hr;
	char *text;
	int r = read_document(q, q->args[0], &text, e);

	if (r < 0)
		return r;
	hr = HcsValidateConfiguration(text, &report);
	if (FAILED(hr) && !report)
		return failed_last(q, hr, e);
	if (report)
		r = read_json(q, report, "report", &doc, e);
	if (r < 0)
		return r;
	if (q->common.json)
		r = show_valid(q, FAILED(hr) ? doc.root : NULL, e);
	else if (FAILED(hr))
		r = show_report(q, doc.root, e);
	else
		r = cli_put("no problems\n", strlen("no problems\n"), e);
	return r < 0 ? r : FAILED(hr);
}

const struct verb verb_validate = {
	.name = "validate",
	.summary = "every problem of a document at once; changes nothing",
	.usage = "<document>",
	.description = "'-' is standard input. Exits with 1 when there is a problem.",
	.options = plain_options,
	.options_size = sizeof(struct plain_flags),
	.min_args = 1,
	.max_args = 1,
	.run = validate_run,
};
