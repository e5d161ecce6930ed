"""What any layer may need: errors, text, disks, processes, the machine, progress."""
