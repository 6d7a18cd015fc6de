# SPDX-License-Identifier: Apache-2.0
# fish: oshctl says itself what may come next (`oshctl complete`); here is what fish wants to know of it.
function __oshctl_complete
    set -l words (commandline -opc) (commandline -ct)
    set -e words[1]
    set -l before (string match -r -- '^--[^=]*=' (commandline -ct))
    set -l value (string replace -r -- '^--[^=]*=' '' (commandline -ct))
    set -l found
    for line in (oshctl complete -- $words 2>/dev/null)
        switch $line
            case :file
                set found (__fish_complete_path $value)
                printf '%s\n' "$before"$found
            case :dir
                set found (__fish_complete_directories $value)
                printf '%s\n' "$before"$found
            case :command
                complete -C -- (commandline -ct)
            case '*'
                echo $line
        end
    end
end
complete -c oshctl -f -a '(__oshctl_complete)'
