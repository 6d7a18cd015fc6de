/* SPDX-License-Identifier: Apache-2.0 */
/* Which registries the clients' own configuration gives, from files and variables that may be anybody's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "../../userspace/oshctl/registry.h"
#include "model.h"
#include "own.h"

#include <cmocka.h>	/* last: it defines a macro called fail */

#define PARTS 4

struct scene {
	const char *name;
	registry_fn *read;
	const char *env[PARTS], *files[PARTS];	/* "NAME=value"; "PATH\n" then its text; "!" before a project's */
	const char *want;			/* "host:port/path ..." */
	const char *inside;			/* "NAME: value ..." and files */
};

static const struct scene scenes[] = {
/* clang-format off */
	{ "npm: nothing", registry_npm, { 0 }, { 0 }, "registry.npmjs.org:443", "" },
	{ "npm: variable", registry_npm, { "NPM_CONFIG_REGISTRY=https://npm.corp.example:8443/api/npm/" }, { "~/.npmrc\nregistry=https://other.example/" },
	  "npm.corp.example:8443/api/npm", "npm_config_registry: \"https://npm.corp.example:8443/api/npm/\"" },
	{ "npm: an empty variable says nothing", registry_npm, { "NPM_CONFIG_REGISTRY=" }, { 0 }, "registry.npmjs.org:443", "" },
	{ "npm: user", registry_npm, { 0 }, { "~/.npmrc\n; mine\n  registry = \"https://npm.corp.example/\" \n//npm.corp.example/:_authToken=s3cret\n" },
	  "npm.corp.example:443", "npm_config_registry: \"https://npm.corp.example/\"" },
	{ "npm: project before user, scopes of both", registry_npm, { 0 },
	  { "!.npmrc\nregistry=https://p.example/\n@a:registry=https://a.example/x/\n",
	    "~/.npmrc\nregistry=https://u.example/\n@a:registry=https://no.example/\n@b:registry=https://b.example/\n" },
	  "p.example:443 a.example:443/x b.example:443", "" },
	{ "npm: only a scope", registry_npm, { 0 }, { "~/.npmrc\n@a:registry=https://a.example\n" }, "a.example:443 registry.npmjs.org:443", "" },
	{ "npm: other keys", registry_npm, { 0 }, { "~/.npmrc\nregistry-x=https://x.example\n[s]\nregistry=https://y.example\n@:registry\n" }, "registry.npmjs.org:443", "" },
	{ "npm: not https", registry_npm, { 0 }, { "~/.npmrc\nregistry=http://npm.corp.example/\n" }, "", "" },
	{ "npm: a variable inside", registry_npm, { 0 }, { "~/.npmrc\nregistry=https://${EVIL}/\n" }, "", "" },
	{ "pip: nothing", registry_pip, { 0 }, { 0 }, "pypi.org:443 files.pythonhosted.org:443", "" },
	{ "pip: variables", registry_pip, { "PIP_INDEX_URL=https://py.example/root/pypi/+simple/", "PIP_EXTRA_INDEX_URL=https://a.example/simple  https://b.example/x" }, { 0 },
	  "py.example:443/root/pypi a.example:443 b.example:443/x",
	  "PIP_INDEX_URL: \"https://py.example/root/pypi/+simple/\" PIP_EXTRA_INDEX_URL: \"https://a.example/simple https://b.example/x\"" },
	{ "pip: files, each key by itself", registry_pip, { 0 },
	  { "~/.config/pip/pip.conf\n[global]\nextra_index_url =\n   https://a.example/simple\n   # not this\n\thttps://b.example/simple\n[install]\ntimeout = 3\n",
	    "/etc/pip.conf\n[global]\nindex-url = https://e.example/repository/pypi/simple/\nextra-index-url = https://no.example/\n" },
	  "a.example:443 b.example:443 e.example:443/repository/pypi",
	  "PIP_INDEX_URL: \"https://e.example/repository/pypi/simple/\" PIP_EXTRA_INDEX_URL: \"https://a.example/simple https://b.example/simple\"" },
	{ "pip: extra keeps the default", registry_pip, { "PIP_EXTRA_INDEX_URL=https://a.example/simple" }, { 0 },
	  "a.example:443 pypi.org:443 files.pythonhosted.org:443", "PIP_EXTRA_INDEX_URL: \"https://a.example/simple\"" },
	{ "pip: other sections", registry_pip, { 0 }, { "~/.pip/pip.conf\nindex-url = https://x.example\n[search]\nindex-url = https://y.example\n" },
	  "pypi.org:443 files.pythonhosted.org:443", "" },
	{ "cargo: nothing", registry_cargo, { 0 }, { 0 }, "index.crates.io:443 static.crates.io:443", "" },
	{ "cargo: replaced", registry_cargo, { 0 }, { "~/.cargo/config.toml\n[source.crates-io]\nreplace-with = \"one\"\n[source.one]\nreplace-with = 'two' # x\n[source.\"two\"]\nregistry = \"sparse+https://c.example:444/index/\"\n" },
	  "c.example:444", "~/.cargo/config.toml" },
	{ "cargo: dotted keys, and a registry with a name", registry_cargo, { 0 }, { "~/.cargo/config\nsource.crates-io.replace-with = \"m\"\nsource.m.registry = \"sparse+https://c.example/\"\n[registries.corp]\nindex = \"sparse+https://r.example/i/\"\n" },
	  "r.example:443 c.example:443", "~/.cargo/config" },
	{ "cargo: a circle", registry_cargo, { 0 }, { "~/.cargo/config.toml\n[source.crates-io]\nreplace-with = \"a\"\n[source.a]\nreplace-with = \"crates-io\"\n" }, "", "~/.cargo/config.toml" },
	{ "cargo: git", registry_cargo, { 0 }, { "~/.cargo/config.toml\n[source.crates-io]\nreplace-with = \"a\"\n[source.a]\nregistry = \"https://g.example/index\"\n" }, "", "~/.cargo/config.toml" },
	{ "cargo: vendored", registry_cargo, { 0 }, { "~/.cargo/config.toml\n[source.crates-io]\nreplace-with = \"v\"\n[source.v]\ndirectory = \"vendor\"\n" }, "", "~/.cargo/config.toml" },
	{ "cargo: nothing replaced", registry_cargo, { 0 }, { "~/.cargo/config.toml\n[build]\njobs = 2\n" }, "index.crates.io:443 static.crates.io:443", "~/.cargo/config.toml" },
	{ "go: nothing", registry_go, { 0 }, { 0 }, "proxy.golang.org:443 sum.golang.org:443", "" },
	{ "go: variables", registry_go, { "GOPROXY=https://g.example/goproxy|https://h.example,direct", "GOSUMDB=off" }, { 0 },
	  "g.example:443/goproxy h.example:443", "GOPROXY: \"https://g.example/goproxy,https://h.example\" GOSUMDB: \"off\"" },
	{ "go: its file", registry_go, { 0 }, { "~/.config/go/env\nGOFLAGS=-mod=mod\nGOPROXY=https://g.example\nGOSUMDB=sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8 https://s.example/db\n" },
	  "g.example:443 s.example:443/db", "GOPROXY: \"https://g.example\" GOSUMDB: \"sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8 https://s.example/db\"" },
	{ "go: off", registry_go, { "GOPROXY=off", "GOSUMDB=off" }, { 0 }, "", "GOPROXY: \"off\" GOSUMDB: \"off\"" },
	{ "go: a quote", registry_go, { "GOPROXY=direct", "GOSUMDB=a\"b" }, { 0 }, "", "GOPROXY: \"off\"" },
/* clang-format on */
};

static const char *scene_env(const struct client *c, const char *name)
{
	const struct scene *s = c->arg;
	size_t n = strlen(name);

	for (int i = 0; i < PARTS && s->env[i]; i++)
		if (!strncmp(s->env[i], name, n) && s->env[i][n] == '=')
			return s->env[i] + n + 1;
	return NULL;
}

static bool scene_file(const struct client *c, const char *path, bool project, struct slice *ret)
{
	const struct scene *s = c->arg;
	size_t n = strlen(path);

	for (int i = 0; i < PARTS && s->files[i]; i++) {
		const char *f = s->files[i] + (*s->files[i] == '!');

		if (project == (*s->files[i] == '!') && !strncmp(f, path, n) && f[n] == '\n') {
			*ret = slice_of(f + n + 1);
			return true;
		}
	}
	return false;
}

static void put(char *out, const char *text)
{
	if (*out)
		strcat(out, " ");
	strcat(out, text);
}

static void reads_what_clients_read(void **state)
{
	unsigned bad = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(scenes); i++) {
		struct registries r = { .quiet = true };
		const struct client c = { scene_env, scene_file, (void *)&scenes[i] };
		char got[1000] = "", inside[1000] = "", one[300];

		scenes[i].read(&r, &c);
		for EACH (struct registry, v, &r.v) {
			snprintf(one, sizeof(one), "%s:%u%s", v->host, v->port, v->path);
			put(got, one);
		}
		for (uint32_t k = 0; k < r.env.n; k++)
			put(inside, ((const char **)r.env.v)[k]);
		for (uint32_t k = 0; k < r.files.n; k++)
			put(inside, ((const char **)r.files.v)[k]);
		if (strcmp(got, scenes[i].want) || strcmp(inside, scenes[i].inside)) {
			print_error("%s:\n  want '%s' and '%s'\n  got  '%s' and '%s'\n", scenes[i].name, scenes[i].want,
				    scenes[i].inside, got, inside);
			bad++;
		}
		registries_done(&r);
	}
	assert_int_equal(bad, 0);
}

static void takes_only_clean_urls(void **state)
{
	static const char *const clean[] = {
		"https://a.example", "https://A.Example./", "https://a.example:8443/x/y_z/@s/~u/v+1.0-2//",
		"https://nexus.corp.example/repository/npm-all/",
	};
	static const char *const unclean[] = {
		"", "https:", "https://", "https:///x", "http://a.example", "HTTPS://a.example", "ftp://a.example",
		"https://u:p@a.example/", "https://u@a.example", "https://a.example/?q", "https://a.example/#f",
		"https://a.example:0/", "https://a.example:65536/", "https://a.example:x/", "https://a.example:/",
		"https://10.0.0.1/", "https://[::1]/", "https://127.1/", "https://*.example.com/", "https://a b/",
		"https://a.example/../x", "https://a.example/./x", "https://a.example/a//b", "https://a.example/%2e%2e/",
		"https://a.example/*", "https://a.example/x\"y", "https://a.example/{a}", "https://a.example/\\x",
		"https://a..example/", "https://a.example/\x7f", "https://a.example/\xc3\xa9", "https://$HOST/", "https://a.example]/",
	};
	struct registries r = { .quiet = true };
	struct registry one;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(clean); i++)
		if (registry_parse(&r, clean[i], &one))
			fail_msg("'%s' is refused: %s", clean[i], registry_parse(&r, clean[i], &one));
	for (size_t i = 0; i < ARRAY_SIZE(unclean); i++)
		if (!registry_parse(&r, unclean[i], &one))
			fail_msg("'%s' is taken", unclean[i]);
	registries_done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_clients_read),
		cmocka_unit_test(takes_only_clean_urls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
