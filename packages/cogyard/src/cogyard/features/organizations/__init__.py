"""Organizations: accounts that several people act for, each as far as their role reaches."""
