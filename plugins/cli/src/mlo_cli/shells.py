"""The completion scripts. Each asks ``mlo completion --at N -- WORD…`` what may stand at word number N."""

from __future__ import annotations

__all__ = ["script"]

_BASH = r"""# bash completion for mlo: put  eval "$(mlo completion bash)"  into ~/.bashrc
_mlo() {
    local kind value meaning
    COMPREPLY=()
    while IFS=$'\t' read -r kind value meaning; do
        case $kind in
            plain) COMPREPLY+=("$value") ;;
            file) compopt -o default ;;
        esac
    done < <(command mlo completion --at "$COMP_CWORD" -- "${COMP_WORDS[@]}" 2>/dev/null)
}
complete -F _mlo mlo
"""

_ZSH = r"""#compdef mlo
# zsh completion for mlo: put  eval "$(mlo completion zsh)"  into ~/.zshrc, below compinit
_mlo() {
    local kind value meaning files=0
    local -a described bare
    while IFS=$'\t' read -r kind value meaning; do
        case $kind in
            plain)
                if [[ -n $meaning ]]; then
                    described+=("${value//:/\\:}:$meaning")
                else
                    bare+=("$value")
                fi
                ;;
            file) files=1 ;;
        esac
    done < <(command mlo completion --at $((CURRENT - 1)) -- "${(@)words}" 2>/dev/null)
    (( ${#described} )) && _describe -V mlo described
    (( ${#bare} )) && compadd -a bare
    (( files )) && _files
}
if [[ ${zsh_eval_context[-1]} == loadautofunc ]]; then
    _mlo "$@"
else
    compdef _mlo mlo
fi
"""

_FISH = r"""# fish completion for mlo: put  mlo completion fish | source  into ~/.config/fish/config.fish
function __mlo_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    command mlo completion --at (count $words) -- $words "$current" 2>/dev/null | while read -l -d \t kind value meaning
        switch $kind
            case plain
                printf '%s\t%s\n' $value "$meaning"
            case file
                __fish_complete_path "$current"
        end
    end
end
complete -c mlo -f -a '(__mlo_complete)'
"""

_SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


def script(shell: str) -> str:
    """The script for ``bash``, ``zsh`` or ``fish``."""
    return _SCRIPTS[shell]
