/* SPDX-License-Identifier: Apache-2.0 */
/* The assembler reads the files; paths are relative to the root of the tree, where make runs. */
#include "embed.h"

#include <stdint.h>

#include "own.h"

#define EMBED(symbol, file)                                                                        \
	__asm__(".pushsection .rodata\n"                                                           \
		".global embed_" #symbol "\nembed_" #symbol ":\n"                                  \
		".incbin \"policy-compiler/" file "\"\n"                                           \
		".global embed_" #symbol "_end\nembed_" #symbol "_end:\n"                          \
		".byte 0\n.popsection\n");                                                         \
	extern const char embed_##symbol[], embed_##symbol##_end[]

EMBED(file_helpers, "registry/helpers.yaml");
EMBED(file_default, "presets/default.yaml");
EMBED(file_claude_code, "presets/claude_code.yaml");
EMBED(file_codex, "presets/codex.yaml");
EMBED(file_copilot, "presets/copilot.yaml");
EMBED(file_cursor, "presets/cursor.yaml");
EMBED(file_gemini, "presets/gemini.yaml");
EMBED(file_opencode, "presets/opencode.yaml");
EMBED(file_github_readonly, "presets/github-readonly.yaml");
EMBED(file_github_clone, "presets/github-clone.yaml");
EMBED(file_npm, "presets/npm.yaml");
EMBED(file_pip, "presets/pip.yaml");
EMBED(file_cargo, "presets/cargo.yaml");
EMBED(file_go, "presets/go.yaml");

EMBED(profile_anthropic, "profiles/anthropic.json");
EMBED(profile_anthropic_token, "profiles/anthropic-token.json");
EMBED(profile_openai, "profiles/openai.json");
EMBED(profile_copilot, "profiles/copilot.json");
EMBED(profile_cursor, "profiles/cursor.json");
EMBED(profile_google, "profiles/google.json");
EMBED(profile_github, "profiles/github.json");
EMBED(profile_github_git, "profiles/github-git.json");
EMBED(profile_gitlab, "profiles/gitlab.json");
EMBED(profile_gitlab_git, "profiles/gitlab-git.json");
EMBED(profile_npm, "profiles/npm.json");
EMBED(profile_pypi, "profiles/pypi.json");
EMBED(profile_aws, "profiles/aws.json");
EMBED(profile_generic, "profiles/generic.json");

struct file {
	const char *name, *start, *end;
};

static const struct file presets[] = {
#define NAMED(text, name) { text, embed_file_##name, embed_file_##name##_end }
#define PRESET(name) NAMED(#name, name)
	PRESET(default),
	PRESET(claude_code),
	PRESET(codex),
	PRESET(copilot),
	PRESET(cursor),
	PRESET(gemini),
	PRESET(opencode),
	NAMED("github-readonly", github_readonly),
	NAMED("github-clone", github_clone),
	PRESET(npm),
	PRESET(pip),
	PRESET(cargo),
	PRESET(go),
};

/* In the order in which discovery asks: an agent's first one with a variable that is set is taken. */
static const struct file profiles[] = {
#define PROFILE(text, name) { text, embed_profile_##name, embed_profile_##name##_end }
	PROFILE("anthropic", anthropic),
	PROFILE("anthropic-token", anthropic_token),
	PROFILE("openai", openai),
	PROFILE("copilot", copilot),
	PROFILE("cursor", cursor),
	PROFILE("google", google),
	PROFILE("github", github),
	PROFILE("github-git", github_git),
	PROFILE("gitlab", gitlab),
	PROFILE("gitlab-git", gitlab_git),
	PROFILE("npm", npm),
	PROFILE("pypi", pypi),
	PROFILE("aws", aws),
	PROFILE("generic", generic),
};

/* Two symbols of the assembler, not two C objects: the distance is taken of numbers. */
static struct slice between(const char *start, const char *end)
{
	return (struct slice){ start, (uintptr_t)end - (uintptr_t)start };
}

struct slice embed_helpers(void)
{
	return between(embed_file_helpers, embed_file_helpers_end);
}

struct slice embed_preset(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(presets); i++)
		if (!strcmp(presets[i].name, name))
			return between(presets[i].start, presets[i].end);
	return (struct slice){ 0 };
}

const char *embed_preset_name(size_t i)
{
	return i < ARRAY_SIZE(presets) ? presets[i].name : NULL;
}

struct slice embed_profile(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(profiles); i++)
		if (!strcmp(profiles[i].name, name))
			return between(profiles[i].start, profiles[i].end);
	return (struct slice){ 0 };
}

const char *embed_profile_name(size_t i)
{
	return i < ARRAY_SIZE(profiles) ? profiles[i].name : NULL;
}
