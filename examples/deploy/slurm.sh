#!/usr/bin/env bash
# One node on each host of the job: sbatch slurm.sh
# It is submitted from a directory that all hosts share, with the program `node` and `node.toml` in it.
#SBATCH --job-name=nodes
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --time=01:00:00
# SIGTERM half a minute before the time is over, so that the nodes leave in order.
#SBATCH --signal=TERM@30
set -euo pipefail

umask 077
head -c 32 /dev/urandom | base64 > cluster.secret
trap 'rm -f cluster.secret' EXIT

# A node that fails does not end the others: they are to notice it and go on.
srun --no-kill --kill-on-bad-exit=0 bash -c \
    'exec ./node node.toml --json --name "$SLURMD_NODENAME" --advertise "$SLURMD_NODENAME:4000" --slurm 4000'
