#!/bin/bash
# tools/stage.sh FILE NAME COMMAND...: run the command, say how long it took, and add that line to the file
file=$1 name=$2 began=$SECONDS
shift 2
mkdir -p "$(dirname "$file")" # commands write into this folder too
"$@" || exit
echo "$name: $((SECONDS - began)) s" | tee -a "$file"
