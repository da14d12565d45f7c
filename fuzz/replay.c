/*
 * Feeds every file of the directories (or the files) given as arguments to a
 * fuzz target, without libFuzzer: what once crashed stays tried.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	struct stat st;
	uint8_t *data;
	size_t n;

	if (!f || fstat(fileno(f), &st) < 0) {
		perror(path);
		return -1;
	}
	/* Exactly as large as the input, so that a read past the end is seen. */
	data = malloc(st.st_size ? (size_t)st.st_size : 1);
	n = data ? fread(data, 1, (size_t)st.st_size, f) : 0;
	fclose(f);
	if (data)
		LLVMFuzzerTestOneInput(data, n);
	free(data);
	return 0;
}

static int replay_dir(const char *path, int *count)
{
	DIR *d = opendir(path);
	struct dirent *de;
	char name[4096];
	int r = 0;

	if (!d) {
		++*count;
		return replay_file(path);
	}
	while (r == 0 && (de = readdir(d))) {
		if (de->d_name[0] == '.')
			continue;
		snprintf(name, sizeof name, "%s/%s", path, de->d_name);
		++*count;
		r = replay_file(name);
	}
	closedir(d);
	return r;
}

int main(int argc, char **argv)
{
	int count = 0;

	for (int i = 1; i < argc; i++)
		if (replay_dir(argv[i], &count) < 0)
			return 1;
	printf("%d inputs\n", count);
	/* A corpus that got lost is a failure, not a pass. */
	return count == 0;
}
