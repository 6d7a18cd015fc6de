# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# bash: oshctl says itself what may come next (`oshctl complete`); here is what bash wants to know of it.
_oshctl() {
	local line=${COMP_LINE:0:COMP_POINT} words cur candidate cut
	read -ra words <<<"$line"	# whole words: COMP_WORDS are cut at = and :
	[[ $line == *[[:space:]] ]] && words+=('')
	cur=${words[${#words[@]}-1]}
	cut=$cur			# bash replaces what stands behind the last of its breaks
	while [[ $cut && $COMP_WORDBREAKS != *"${cut: -1}"* ]]; do cut=${cut%?}; done
	COMPREPLY=()
	while IFS=$'\t' read -r candidate _; do
		case $candidate in
		:file) compopt -o filenames; mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "${cur#"$cut"}") ;;
		:dir) compopt -o filenames; mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -d -- "${cur#"$cut"}") ;;
		:command) mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -c -- "$cur") ;;
		*) COMPREPLY+=("${candidate#"$cut"}") ;;
		esac
	done < <(oshctl complete -- "${words[@]:1}" 2>/dev/null)
}
complete -F _oshctl oshctl
