# shellcheck shell=sh
# The variants that are tested: variant_make NAME gives the arguments of make.
variant_make() {
	case $1 in
	release) echo ;;
	clang) echo CC=clang ;;
	asan) echo SAN=address,undefined ;;
	tsan) echo SAN=thread ;;
	esac
}
variant_dir() {
	case $1 in
	release) echo build/release ;;
	clang) echo build/clang-release ;;
	asan) echo build/san-address+undefined ;;
	tsan) echo build/san-thread ;;
	esac
}
