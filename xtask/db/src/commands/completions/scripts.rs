//! The completion scripts. `@PROGRAM@` becomes the path of the built program: absolute, or relative
//! to the root of a workspace, which the scripts search for from the current folder upwards.

/// Joins the existing completion of `cargo`, and works in bash 3.2 (macOS) too.
pub(super) const BASH: &str = r#"# Completes `cargo xtask` in bash.
_xtask_db_program() {
    local program=@PROGRAM@ folder=$PWD
    if [[ $program == /* ]]; then
        folder=
        program=${program#/}
    fi
    while [[ ! -x $folder/$program ]]; do
        [[ $folder ]] || return 1
        folder=${folder%/*}
    done
    printf '%s\n' "$folder/$program"
}

_xtask_db() {
    local program candidate line=${COMP_LINE:0:COMP_POINT}
    if [[ ${COMP_WORDS[1]} != xtask ]] || ((COMP_CWORD < 2)) || ! program=$(_xtask_db_program); then
        if [[ $_xtask_db_before ]]; then
            "$_xtask_db_before" "$@"
        fi
        return
    fi
    local -a words
    read -ra words <<< "$line"
    if [[ $line == *' ' ]]; then
        words+=('')
    fi
    # Bash breaks words at more than blanks, and replaces only what follows the last break.
    local word=${words[${#words[@]} - 1]} current=${COMP_WORDS[COMP_CWORD]} kept=
    if [[ $current == [=:] ]]; then
        kept=$word
    elif [[ $word == *"$current" ]]; then
        kept=${word%"$current"}
    fi
    COMPREPLY=()
    while IFS= read -r candidate; do
        COMPREPLY+=("${candidate#"$kept"}")
    done < <("$program" db-complete -- "${words[@]:2}" 2> /dev/null)
}

if ! complete -p cargo > /dev/null 2>&1; then
    if declare -F _comp_load > /dev/null; then
        _comp_load cargo > /dev/null 2>&1
    elif declare -F _completion_loader > /dev/null; then
        _completion_loader cargo > /dev/null 2>&1
    fi
fi
if [[ $(complete -p cargo 2> /dev/null) != *' -F _xtask_db '* ]]; then
    _xtask_db_before=$(complete -p cargo 2> /dev/null | sed -n 's/.* -F \([^ ]*\) .*/\1/p')
fi
complete -o bashdefault -o default -F _xtask_db cargo
"#;

/// Cargo's own completion for zsh calls `_cargo-xtask` for the words after `cargo`.
pub(super) const ZSH: &str = r#"# Completes `cargo xtask` in zsh.
_xtask_db_program() {
    local program=@PROGRAM@ folder=$PWD
    if [[ $program == /* ]]; then
        folder=
        program=${program#/}
    fi
    while [[ ! -x $folder/$program ]]; do
        [[ -n $folder ]] || return 1
        folder=${folder%/*}
    done
    print -r -- "$folder/$program"
}

_cargo-xtask() {
    local program
    local -a candidates
    if program=$(_xtask_db_program); then
        candidates=("${(@f)$("$program" db-complete -- "${(@)words[2,CURRENT]}" 2> /dev/null)}")
        candidates=("${(@)candidates:#}")
        if ((${#candidates})); then
            compadd -a candidates
            return
        fi
    fi
    _default
}

_xtask_db_cargo() {
    if [[ ${words[2]} == xtask ]] && ((CURRENT > 2)); then
        shift words
        ((CURRENT--))
        _cargo-xtask
    else
        _default
    fi
}

if ((${+functions[compdef]})) && [[ -z ${_comps[cargo]} ]]; then
    compdef _xtask_db_cargo cargo
fi
"#;

/// Adds to fish's own completion of cargo.
pub(super) const FISH: &str = r#"# Completes `cargo xtask` in fish.
function __xtask_db_candidates
    set -l program @PROGRAM@
    set -l folder $PWD
    if string match -q '/*' -- $program
        set folder ''
        set program (string replace -r '^/' '' -- $program)
    end
    while not test -x "$folder/$program"
        test -n "$folder"; or return
        set folder (string replace -r '/[^/]*$' '' -- $folder)
    end
    set -l words (commandline -opc) (commandline -ct)
    "$folder/$program" db-complete -- $words[3..-1] 2>/dev/null
end

complete -c cargo -n '__fish_seen_subcommand_from xtask' -a '(__xtask_db_candidates)'
"#;
