/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AWS Signature Version 4 of one request ("Create a signed AWS API request", IAM User Guide). Adds or
 * replaces x-amz-date, x-amz-security-token, authorization, and for S3 x-amz-content-sha256.
 */
#pragma once

#include <stdbool.h>
#include <time.h>

#include "http/head.h"

struct sigv4 {
	struct slice key_id, secret, token;	/* token.n == 0: none */
	const char *service, *region;
	bool has_body_hash;
	uint8_t body_hash[32];		/* else the body is UNSIGNED-PAYLOAD */
	time_t now;
};

/* `path` is canonical, `query` as it will be sent. Signs host and every x-amz-* field. 0 or -errno. */
int sigv4_sign(const struct sigv4 *s, struct head *h, const char *path, struct slice query);

/* "us-east-1" of "s3.us-east-1.amazonaws.com"; "us-east-1" too where the host names none. */
void sigv4_region(const char *host, char out[32]);

/*
 * The name that a service signs by: "sts" of "sts.eu-west-1.amazonaws.com", "s3" of "BUCKET.s3.amazonaws.com", "bedrock" of
 * "bedrock-runtime.us-east-1.amazonaws.com". false: the host is none of AWS', and a record has to say it.
 */
bool sigv4_service(const char *host, char out[32]);
