/* The part of the features document (spec_features.h) that is not in tables. */
#pragma once

struct features_host;

void features_host_read(struct features_host *h);
